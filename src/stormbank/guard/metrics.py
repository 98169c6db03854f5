"""What the guards around dependencies report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from stormbank.guard.guarded import Guarded
from stormbank.metrics import CallMetrics
from stormbank.metrics.calls import Count
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
    """Calls, counted by `calls`; and what each guard holds, read when Prometheus asks."""

    def __init__(self, registry: CollectorRegistry, calls: CallMetrics) -> None:
        self._calls = calls
        self._guarded: list[Guarded] = []
        registry.register(self)

    def counter(self, dependency: str, cells: Sequence[str]) -> Count:
        """Return who counts the calls of a dependency for customers of `cells`."""
        return self._calls.counter(dependency, OUTCOMES, cells)

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
