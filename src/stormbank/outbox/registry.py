"""Which handler carries out which kind of row."""

from __future__ import annotations

from stormbank.outbox import Handler
from stormbank.settings.ledger import LedgerSettings


def handlers_of(settings: LedgerSettings) -> dict[str, Handler]:  # noqa: ARG001 - each kind has settings of its own
    """Return the handlers by kind. Rows of other kinds wait for a ledger that has theirs."""
    return {}
