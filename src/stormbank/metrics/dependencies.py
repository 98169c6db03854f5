"""What a process asks of others."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from stormbank.metrics.names import dependencies as names
from stormbank.metrics.service import NO_CELL


class DependencyMetrics:
    """The metrics of all dependencies of a process; `of` gives the counts of one of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = names.CALLS.on(registry)
        self._seconds = names.SECONDS.on(registry)
        self._retries = names.RETRIES.on(registry)

    def of(self, dependency: str, cell: str = NO_CELL) -> Calls:
        """Return the counts of what is asked of `dependency`, of its processes for `cell` where it has cells."""
        return Calls(self._calls, self._seconds, self._retries, (dependency, cell))


class Calls:
    """Counts the calls of one dependency."""

    def __init__(self, calls: Counter, seconds: Histogram, retries: Counter, who: tuple[str, str]) -> None:
        self._calls = calls
        self._who = who
        self._took = seconds.labels(*who).observe
        self.retried = retries.labels(*who).inc
        self._ended: dict[str, Counter] = {}

    def ended(self, outcome: str, took_s: float) -> None:
        """Count one call with its end, after `took_s` seconds."""
        known = self._ended.get(outcome)
        if known is None:
            known = self._ended[outcome] = self._calls.labels(*self._who, outcome)
        known.inc()
        self._took(took_s)
