"""What a ledger did about its outbox, and what waits there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry

from stormbank.metrics.names import outbox as names


class OutboxMetrics:
    """What the ledger of `cell` did about rows of its outbox of these kinds, and what waits there."""

    def __init__(self, registry: CollectorRegistry, cell: str, kinds: Iterable[str]) -> None:
        depth, oldest = names.DEPTH.on(registry), names.OLDEST.on(registry)
        attempts = names.ATTEMPTS.on(registry)
        self._ended = names.ENDED.on(registry)
        self._cell = cell
        self._depth = {kind: depth.labels(kind, cell) for kind in kinds}
        self._oldest = {kind: oldest.labels(kind, cell) for kind in kinds}
        self._attempts = {kind: attempts.labels(kind, cell) for kind in kinds}

    def observe(self, waiting: Mapping[str, tuple[int, float]]) -> None:
        """Report how many rows of each kind are not settled and how old the oldest is, in seconds; others have none."""
        for kind in self._depth:
            depth, oldest_s = waiting.get(kind, (0, 0.0))
            self._depth[kind].set(depth)
            self._oldest[kind].set(oldest_s)

    def attempted(self, kind: str) -> None:
        """Count one row taken."""
        self._attempts[kind].inc()

    def ended(self, kind: str, outcome: str) -> None:
        """Count one attempt that ended."""
        self._ended.labels(kind, outcome, self._cell).inc()
