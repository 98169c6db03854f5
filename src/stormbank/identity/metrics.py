"""What identity reports beside what every process of the bank does: its calls to external parties."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter

OUTCOMES: Final = ("ok", "error", "timeout", "full")


class PartyMetrics:
    """Calls to external parties by outcome; `full` is a call that the bulkhead refused."""

    def __init__(self, registry: CollectorRegistry, parties: tuple[str, ...]) -> None:
        calls = Counter(
            "bank_party_calls", "Calls to external parties.", ("party", "outcome"), registry=registry
        )
        self._calls = {
            (party, outcome): calls.labels(party, outcome) for party in parties for outcome in OUTCOMES
        }

    def called(self, party: str, outcome: str) -> None:
        """Count one call."""
        self._calls[party, outcome].inc()
