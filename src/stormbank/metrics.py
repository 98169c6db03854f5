"""The bank's Prometheus metrics: every name, label and bucket in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from stormbank import VERSION
from stormbank.admission import HIGHWATER_S, Admission
from stormbank.epoch import CellState
from stormbank.operations import OPERATIONS, Operation
from stormbank.slots import Slots

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_REQUEST_BUCKETS_S: Final = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 4.0)
_WAIT_BUCKETS_S: Final = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)

disable_created_metrics()  # type: ignore[no-untyped-call]


class ServiceMetrics:
    """What every bank process reports about the requests it answers."""

    def __init__(self, service: str, *, zone: str, pod: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Gauge(
            "bank_build_info",
            "Constant 1; who this is.",
            ("service", "version", "zone", "pod"),
            registry=self.registry,
        )
        build.labels(service, VERSION, zone, pod).set(1)
        self._service = service
        self._requests = Counter(
            "bank_requests",
            "Requests answered, shed ones too.",
            ("service", "operation", "tier", "code"),
            registry=self.registry,
        )
        seconds = Histogram(
            "bank_request_seconds",
            "Time to answer, without shed requests.",
            ("service", "operation"),
            buckets=_REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        inflight = Gauge(
            "bank_inflight", "Requests being answered now.", ("service",), registry=self.registry
        )
        self.inflight = inflight.labels(service)
        # Looking up labels costs more than counting: each child is looked up once.
        self._seconds = {each.name: seconds.labels(service, each.name) for each in OPERATIONS}
        self._answered: dict[tuple[str, int], Counter] = {}

    def answered(self, operation: Operation, status: int, duration_s: float) -> None:
        """Count one answer."""
        known = self._answered.get((operation.name, status))
        if known is None:
            known = self._requests.labels(self._service, operation.name, operation.tier, str(status))
            self._answered[operation.name, status] = known
        known.inc()
        if status != 429:
            self._seconds[operation.name].observe(duration_s)

    def exposition(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)


class AdmissionMetrics:
    """What flow control did."""

    def __init__(self, registry: CollectorRegistry, admission: Admission) -> None:
        limit = Gauge("bank_admission_limit", "Most requests in flight.", registry=registry)
        limit.set(admission.limit)
        threshold = Gauge(
            "bank_admission_threshold",
            "Requests in flight, of all tiers, from which a tier is shed.",
            ("tier",),
            registry=registry,
        )
        for tier, value in admission.thresholds.items():
            threshold.labels(tier).set(value)
        inflight = Gauge("bank_admission_inflight", "Admitted requests in flight.", registry=registry)
        inflight.set_function(lambda: admission.inflight)
        highwater = Gauge(
            "bank_admission_highwater",
            f"Most requests in flight at an admission of the last {HIGHWATER_S:g} s.",
            registry=registry,
        )
        highwater.set_function(admission.highwater)
        admitted = Counter("bank_admitted", "Requests let in.", ("operation", "tier"), registry=registry)
        self._shed = Counter(
            "bank_shed", "Requests given up.", ("operation", "tier", "reason"), registry=registry
        )
        self._admitted = {each.name: admitted.labels(each.name, each.tier) for each in OPERATIONS}
        # Present from the start: an order of shedding cannot be judged on series that are not there.
        for each in OPERATIONS:
            for reason in ("overload", "rate"):
                self._shed.labels(each.name, each.tier, reason)

    def admitted(self, operation: Operation) -> None:
        """Count one request let in."""
        self._admitted[operation.name].inc()

    def shed(self, operation: Operation, reason: str) -> None:
        """Count one request given up."""
        self._shed.labels(operation.name, operation.tier, reason).inc()


class SlotMetrics:
    """How busy the worker slots are. `wait` is to be told each request's time in the queue."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        wait = Histogram(
            "bank_slot_wait_seconds",
            "Time a request waited for a worker slot.",
            buckets=_WAIT_BUCKETS_S,
            registry=registry,
        )
        self.wait = wait.observe

    def watch(self, slots: Slots) -> None:
        """Report `slots`."""
        Gauge("bank_slots", "Worker slots.", registry=self._registry).set(slots.count)
        busy = Gauge("bank_slots_busy", "Worker slots in use.", registry=self._registry)
        busy.set_function(lambda: slots.busy)


class CellMetrics:
    """The epoch of each cell as this process last heard of it; no series before it has."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._promotion = Gauge(
            "bank_cell_promotion", "Promotion number of the cell's epoch.", ("cell",), registry=registry
        )
        self._version = Gauge(
            "bank_cell_version", "Version of the cell's map in its epoch.", ("cell",), registry=registry
        )

    def observe(self, state: CellState) -> None:
        """Report `state`."""
        self._promotion.labels(state.cell).set(state.epoch.promotion)
        self._version.labels(state.cell).set(state.epoch.version)


class BookMetrics:
    """What the ledger of `cell` booked, and whether it has a primary."""

    def __init__(self, registry: CollectorRegistry, cell: str, available: Callable[[], bool]) -> None:
        movements = Counter(
            "bank_movements", "Movements acknowledged.", ("operation", "repeated", "cell"), registry=registry
        )
        self._movements = {
            (each.name, repeated): movements.labels(each.name, "true" if repeated else "false", cell)
            for each in OPERATIONS
            if each.money
            for repeated in (False, True)
        }
        self._stale = Counter(
            "bank_stale_epoch", "Writes refused for their epoch.", ("cell",), registry=registry
        ).labels(cell)
        Gauge("bank_database_available", "1 while a primary is known.", registry=registry).set_function(
            lambda: float(available())
        )

    def moved(self, operation: str, *, repeated: bool) -> None:
        """Count one movement acknowledged."""
        self._movements[operation, repeated].inc()

    def stale(self) -> None:
        """Count one write refused for its epoch."""
        self._stale.inc()


class StaleReads:
    """What a standby of `cell` was asked for, while there was no primary."""

    def __init__(self, registry: CollectorRegistry, cell: str) -> None:
        self._cell = cell
        self._reads = Counter(
            "bank_stale_reads",
            "Answers from a standby, marked as such.",
            ("operation", "cell"),
            registry=registry,
        )

    def read(self, operation: str) -> None:
        """Count one."""
        self._reads.labels(operation, self._cell).inc()
