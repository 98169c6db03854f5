"""What the guards around dependencies report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from stormbank.flow.highwater import HIGHWATER_S
from stormbank.guard.guarded import Guarded

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

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "bank_dependency_calls",
            "Calls of a dependency; of `bulkhead` and `breaker` none was made.",
            ("dependency", "outcome"),
            registry=registry,
        )
        self._guarded: list[Guarded] = []
        registry.register(self)

    def counter(self, dependency: str) -> Callable[[str], None]:
        """Return who counts the outcomes of calls of a dependency."""
        known = {outcome: self._calls.labels(dependency, outcome) for outcome in OUTCOMES}
        return lambda outcome: known[outcome].inc()

    def watch(self, guarded: Guarded) -> None:
        """Report `guarded`, too."""
        self._guarded.append(guarded)

    def describe(self) -> Iterator[Family]:
        """Name what `collect` yields, without asking."""
        yield from ()

    def collect(self) -> Iterator[Family]:
        """As Prometheus's client wants it."""
        state = _gauge("bank_breaker_state", "Circuit breaker: 0 closed, 1 half open, 2 open.")
        inflight = _gauge("bank_dependency_inflight", "Calls in flight.")
        highwater = _gauge(
            "bank_dependency_highwater", f"Most calls in flight at one of the last {HIGHWATER_S:g} s."
        )
        limit = _gauge("bank_dependency_limit", "Most calls in flight that the bulkhead allows.")
        retries = CounterMetricFamily(
            "bank_retries", "Retries made, and refused for want of budget.", labels=("dependency", "outcome")
        )
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


def _gauge(name: str, what: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, labels=("dependency",))
