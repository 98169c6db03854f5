"""What identity reports beside what every process of the bank does: its calls to external parties."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter

OUTCOMES: Final = ("good", "failed", "late", "shed")


class PartyMetrics:
    """Calls to external parties by outcome; `shed` is a call that the bulkhead refused."""

    def __init__(self, registry: CollectorRegistry, parties: tuple[str, ...]) -> None:
        calls = Counter(
            "bank_dependency_calls",
            "Calls to external parties; they serve every cell.",
            ("dependency", "cell", "outcome"),
            registry=registry,
        )
        self._calls = {
            (party, outcome): calls.labels(party, "none", outcome)
            for party in parties
            for outcome in OUTCOMES
        }

    def called(self, party: str, outcome: str) -> None:
        """Count one call."""
        self._calls[party, outcome].inc()
