"""What identity reports beside what every process of the bank does: its calls to external parties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stormbank.metrics import CallMetrics

OUTCOMES: Final = ("good", "failed", "late", "shed")


class PartyMetrics:
    """Calls to external parties by outcome and cell; `shed` is a call that the bulkhead refused."""

    def __init__(self, calls: CallMetrics, parties: Sequence[str], cells: Sequence[str]) -> None:
        self._count = {party: calls.counter(party, OUTCOMES, cells) for party in parties}

    def called(self, party: str, cell: str, outcome: str) -> None:
        """Count one call on behalf of a customer of `cell`."""
        self._count[party](cell, outcome)
