"""What the guards around dependencies report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from stormbank.guard.guarded import Guarded
from stormbank.metrics import NO_CELL
from stormbank.metrics.names import dependencies as names

OUTCOMES: Final = (
    "ok",
    "refused",
    "unavailable",
    "late",
    "failed",
    "unreachable",
    "timeout",
    "bulkhead",
    "breaker",
)

Family = GaugeMetricFamily | CounterMetricFamily


class GuardMetrics(Collector):
    """Calls by dependency and outcome; and what each guard holds, read when Prometheus asks."""

    def __init__(self, registry: CollectorRegistry, calls: Counter | None = None) -> None:
        """`calls` is CALLS where the registry knows it already."""
        self._calls = names.CALLS.on(registry) if calls is None else calls
        self._guarded: list[Guarded] = []
        registry.register(self)

    def counter(self, dependency: str) -> Callable[[str], None]:
        """Return who counts the outcomes of calls of a dependency."""
        known = {outcome: self._calls.labels(dependency, NO_CELL, outcome) for outcome in OUTCOMES}
        return lambda outcome: known[outcome].inc()

    def watch(self, guarded: Guarded) -> None:
        """Report `guarded`, too."""
        self._guarded.append(guarded)

    def describe(self) -> Iterator[Family]:
        """Name what `collect` yields, without asking."""
        yield from ()

    def collect(self) -> Iterator[Family]:
        """As Prometheus's client wants it."""
        state, inflight, highwater, limit = (
            each.family() for each in (names.BREAKER, names.INFLIGHT, names.HIGHWATER, names.LIMIT)
        )
        retries = names.RETRIES.family()
        for each in self._guarded:
            name = (each.name,)
            state.add_metric(name, each.state)
            inflight.add_metric(name, each.bulkhead.inflight)
            highwater.add_metric(name, each.bulkhead.highwater())
            if each.bulkhead.most is not None:
                limit.add_metric(name, each.bulkhead.most)
            retries.add_metric((each.name, "spent"), each.retries.spent)
            retries.add_metric((each.name, "refused"), each.retries.refused)
        yield from (state, inflight, highwater, limit, retries)
