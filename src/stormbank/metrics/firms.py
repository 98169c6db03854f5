"""What an external party answered."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from stormbank.metrics.names import firms
from stormbank.outcome import outcome_of


class FirmMetrics:
    """The registry of one party, and its answers."""

    def __init__(self, party: str) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._answered = firms.ANSWERED.on(self._registry)
        self._party = party

    def answered(self, status: int) -> None:
        """Count one answer."""
        self._answered.labels(self._party, outcome_of(status)).inc()

    def cut(self) -> None:
        """Count one request that was never answered."""
        self._answered.labels(self._party, "cut").inc()

    def exposition(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self._registry)
