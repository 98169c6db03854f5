"""What became of the movements that anti-fraud was asked about."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from stormbank.metrics.names import scores as names


class ScoreMetrics:
    """Counts movements by what anti-fraud said."""

    def __init__(self, registry: CollectorRegistry) -> None:
        scores = names.SCORES.on(registry)
        self._scores = {name: scores.labels(name) for name in ("pass", "refuse", "unscored", "closed")}

    def count(self, verdict: str) -> None:
        """Count one."""
        self._scores[verdict].inc()
