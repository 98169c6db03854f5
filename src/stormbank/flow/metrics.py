"""What flow control reports. In flight and limit are those of one admission: see `highwater`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stormbank.flow.control import FlowControl
from stormbank.metrics.names import flow as names
from stormbank.operations import Operation

_OF_ROOMS: Final = (names.ROOM_LIMIT, names.ROOM_INFLIGHT, names.ROOM_QUEUE)


class FlowCounts:
    """Requests let in and given up, by operation, tier and dependency. `serves` as FlowControl has it."""

    def __init__(self, registry: CollectorRegistry, serves: Mapping[str, tuple[Operation, ...]]) -> None:
        offered, admitted, self._shed = (
            each.on(registry) for each in (names.OFFERED, names.ADMITTED, names.SHED)
        )
        self._offered = {
            (each.name, dependency): offered.labels(each.name, each.tier, dependency)
            for dependency, some in serves.items()
            for each in some
        }
        self._admitted = {
            (each.name, dependency): admitted.labels(each.name, each.tier, dependency)
            for dependency, some in serves.items()
            for each in some
        }
        self._shed_child: dict[tuple[str, str, str], Counter] = {}
        # Present from the start: an order of shedding cannot be judged on series that are not there.
        for dependency, some in serves.items():
            for each in some:
                for reason in names.FOR_WANT_OF_CAPACITY:
                    self._child(each, dependency, reason)

    def admitted(self, operation: Operation, dependency: str) -> None:
        """Count one request let in."""
        self._offered[operation.name, dependency].inc()
        self._admitted[operation.name, dependency].inc()

    def shed(self, operation: Operation, dependency: str, reason: str) -> None:
        """Count one request given up."""
        self._offered[operation.name, dependency].inc()
        self._child(operation, dependency, reason).inc()

    def _child(self, operation: Operation, dependency: str, reason: str) -> Counter:
        key = operation.name, dependency, reason
        found = self._shed_child.get(key)
        if found is None:
            found = self._shed.labels(operation.name, operation.tier, dependency, reason)
            self._shed_child[key] = found
        return found


class FlowMetrics(Collector):
    """Reads flow control when it is asked, so that what belongs together is of one moment."""

    def __init__(self, registry: CollectorRegistry, flow: FlowControl) -> None:
        self._flow = flow
        registry.register(self)
        names.INFLIGHT.on(registry).set_function(flow.inflight)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name what `collect` yields, without asking."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """As Prometheus's client wants it."""
        tightest = self._flow.tightest()
        yield names.HIGHWATER.family(tightest.inflight)
        yield names.LIMIT.family(tightest.limit)
        families = [each.family() for each in _OF_ROOMS]
        for dependency, room in self._flow.rooms.items():
            for family, value in zip(families, (room.limit, room.inflight, room.waiting_s()), strict=True):
                family.add_metric((dependency,), value)
        yield from families
        yield self._thresholds()

    def _thresholds(self) -> GaugeMetricFamily:
        threshold = names.THRESHOLD.family()
        for dependency, room in self._flow.rooms.items():
            for each in room.operations:
                threshold.add_metric((dependency, each.name, each.tier), room.threshold(each))
        return threshold
