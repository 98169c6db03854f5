"""What flow control did."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from stormbank.admission import Admission
from stormbank.metrics.names import flow
from stormbank.operations import OPERATIONS, Operation


class AdmissionMetrics:
    """Counts who was let in and who was not, and shows `admission` as it is."""

    def __init__(self, registry: CollectorRegistry, admission: Admission) -> None:
        flow.LIMIT.on(registry).set(admission.limit)
        threshold = flow.THRESHOLD.on(registry)
        for tier, value in admission.thresholds.items():
            threshold.labels(tier).set(value)
        flow.INFLIGHT.on(registry).set_function(lambda: admission.inflight)
        flow.HIGHWATER.on(registry).set_function(admission.highwater)
        offered, admitted, self._shed = (
            each.on(registry) for each in (flow.OFFERED, flow.ADMITTED, flow.SHED)
        )
        self._offered = {each.name: offered.labels(each.name, each.tier) for each in OPERATIONS}
        self._admitted = {each.name: admitted.labels(each.name, each.tier) for each in OPERATIONS}
        # Present from the start: an order of shedding cannot be judged on series that are not there.
        for each in OPERATIONS:
            for reason in ("overload", "rate"):
                self._shed.labels(each.name, each.tier, reason)

    def admitted(self, operation: Operation) -> None:
        """Count one request let in."""
        self._offered[operation.name].inc()
        self._admitted[operation.name].inc()

    def shed(self, operation: Operation, reason: str) -> None:
        """Count one request given up."""
        self._offered[operation.name].inc()
        self._shed.labels(operation.name, operation.tier, reason).inc()
