"""What a ledger needs to send payments out, where its settings name a clearing party."""

from __future__ import annotations

from contextlib import AsyncExitStack

from stormbank.clearing.handler import ClearingHandler
from stormbank.clearing.order import KIND
from stormbank.clearing.party import Party
from stormbank.outbox import Handler
from stormbank.settings.ledger import LedgerSettings


async def clearing_handlers(settings: LedgerSettings, stack: AsyncExitStack) -> dict[str, Handler]:
    """Return the handler of payments by its kind, connected until `stack` ends; none where payments do not leave."""
    clearing = settings.clearing
    if clearing is None:
        return {}
    party = await stack.enter_async_context(Party(clearing.url, clearing.timeout_s))
    return {KIND: ClearingHandler(party, settings.cell, one_order=clearing.one_order)}
