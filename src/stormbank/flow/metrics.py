"""What flow control reports. In flight and limit are those of one admission: see `highwater`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stormbank.flow.control import FlowControl
from stormbank.flow.highwater import HIGHWATER_S
from stormbank.operations import Operation

_OF_ROOMS = (
    ("bank_flow_limit", "Most requests in flight to a dependency now."),
    ("bank_flow_inflight", "Admitted requests in flight to a dependency."),
    ("bank_flow_queue_seconds", "How long a request let in now is likely to wait there."),
)


class FlowCounts:
    """Requests let in and given up, by operation, tier and dependency. `serves` as FlowControl has it."""

    def __init__(self, registry: CollectorRegistry, serves: Mapping[str, tuple[Operation, ...]]) -> None:
        labels = ("operation", "tier", "dependency")
        admitted = Counter("bank_admitted", "Requests let in.", labels, registry=registry)
        self._shed = Counter("bank_shed", "Requests given up.", (*labels, "reason"), registry=registry)
        self._admitted = {
            (each.name, dependency): admitted.labels(each.name, each.tier, dependency)
            for dependency, some in serves.items()
            for each in some
        }
        self._shed_child: dict[tuple[str, str, str], Counter] = {}
        # Present from the start: an order of shedding cannot be judged on series that are not there.
        for dependency, some in serves.items():
            for each in some:
                for reason in ("overload", "queue"):
                    self._child(each, dependency, reason)

    def admitted(self, operation: Operation, dependency: str) -> None:
        """Count one request let in."""
        self._admitted[operation.name, dependency].inc()

    def shed(self, operation: Operation, dependency: str, reason: str) -> None:
        """Count one request given up."""
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
        inflight = Gauge("bank_admission_inflight", "Admitted requests in flight.", registry=registry)
        inflight.set_function(flow.inflight)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name what `collect` yields, without asking."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """As Prometheus's client wants it."""
        tightest = self._flow.tightest()
        when = f"at the tightest admission of the last {HIGHWATER_S:g} s"
        yield GaugeMetricFamily(
            "bank_admission_highwater", f"Requests in flight {when}.", value=tightest.inflight
        )
        yield GaugeMetricFamily(
            "bank_admission_limit", f"The limit that applied {when}.", value=tightest.limit
        )
        families = [GaugeMetricFamily(name, what, labels=("dependency",)) for name, what in _OF_ROOMS]
        for dependency, room in self._flow.rooms.items():
            for family, value in zip(families, (room.limit, room.inflight, room.waiting_s()), strict=True):
                family.add_metric((dependency,), value)
        yield from families
        yield self._thresholds()

    def _thresholds(self) -> GaugeMetricFamily:
        threshold = GaugeMetricFamily(
            "bank_admission_threshold",
            "Requests in flight to a dependency, of all operations, from which an operation is shed.",
            labels=("dependency", "operation", "tier"),
        )
        for dependency, room in self._flow.rooms.items():
            for each in room.operations:
                threshold.add_metric((dependency, each.name, each.tier), room.threshold(each))
        return threshold
