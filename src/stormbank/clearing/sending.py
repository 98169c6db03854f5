"""What a ledger needs to send payments out, where its settings name a clearing party."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

from stormbank.clearing.handler import ClearingHandler
from stormbank.clearing.order import KIND
from stormbank.clearing.party import NAME, OUTCOMES, Party
from stormbank.metrics import CallMetrics
from stormbank.outbox import Handler
from stormbank.settings.ledger import LedgerSettings


async def clearing_handlers(
    settings: LedgerSettings, stack: AsyncExitStack, calls: CallMetrics
) -> dict[str, Handler]:
    """Return the handler of payments by its kind, connected until `stack` ends; none where payments do not leave."""
    clearing = settings.clearing
    if clearing is None:
        return {}
    count = calls.counter(NAME, OUTCOMES, (settings.cell,))
    party = await stack.enter_async_context(Party(clearing.url, clearing.timeout_s, partial(count, None)))
    return {KIND: ClearingHandler(party, settings.cell, one_order=clearing.one_order)}
