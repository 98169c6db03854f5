"""What identity reports beside what every process of the bank does: its calls to external parties."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry

from stormbank.metrics import NO_CELL
from stormbank.metrics.names import dependencies as names

OUTCOMES: Final = ("good", "failed", "late", "shed")


class PartyMetrics:
    """Calls to external parties by outcome; `shed` is a call that the bulkhead refused."""

    def __init__(self, registry: CollectorRegistry, parties: tuple[str, ...]) -> None:
        self.calls = names.CALLS.on(registry)
        self._calls = {
            (party, outcome): self.calls.labels(party, NO_CELL, outcome)
            for party in parties
            for outcome in OUTCOMES
        }

    def called(self, party: str, outcome: str) -> None:
        """Count one call."""
        self._calls[party, outcome].inc()
