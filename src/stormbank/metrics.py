"""The bank's Prometheus metrics, but for those of flow control and of guards, which are in their packages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
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
from stormbank.epoch import CellState
from stormbank.operations import Operation, addresses_of
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
        self._seconds = {
            each.name: seconds.labels(service, each.name) for each in addresses_of(service).values()
        }
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


class ScoreMetrics:
    """What became of the movements that anti-fraud was asked about."""

    def __init__(self, registry: CollectorRegistry) -> None:
        scores = Counter(
            "bank_scores", "Movements of money by what anti-fraud said.", ("verdict",), registry=registry
        )
        self._scores = {name: scores.labels(name) for name in ("pass", "refuse", "unscored", "closed")}

    def count(self, verdict: str) -> None:
        """Count one."""
        self._scores[verdict].inc()


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


class DayEndMetrics:
    """The business day of each cell, and what its day-ends pay."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("cell",)
        self._date = Gauge(
            "bank_business_date_days", "Business date, in days since 1970-01-01.", labels, registry=registry
        )
        self._open = Gauge(
            "bank_day_end_open",
            "1 while a day has ended and not everybody has its interest.",
            labels,
            registry=registry,
        )
        self._accounts = Counter(
            "bank_interest_accounts", "Customers who were given a day's interest.", labels, registry=registry
        )
        self._interest = Counter("bank_interest_fen", "Interest paid, in fen.", labels, registry=registry)

    def observe(self, cell: str, date: dt.date, *, under_way: bool) -> None:
        """Report the business date, and whether the day before it still pays interest."""
        self._date.labels(cell).set((date - dt.date(1970, 1, 1)).days)
        self._open.labels(cell).set(under_way)

    def paid(self, cell: str, accounts: int, interest: int) -> None:
        """Count interest that is committed: of so many customers, so many fen together."""
        self._accounts.labels(cell).inc(accounts)
        self._interest.labels(cell).inc(interest)


class ReconcileMetrics:
    """How the payments of each cell stand to the clearing party's books, as of the last comparison."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("cell",)
        self._payments = Gauge(
            "bank_reconcile_payments",
            "Payments of the days that were compared, by how both books stand to each other.",
            ("cell", "agreement"),
            registry=registry,
        )
        self._fen = Gauge("bank_reconcile_fen", "The same in fen.", ("cell", "agreement"), registry=registry)
        self._oldest = Gauge(
            "bank_reconcile_oldest_unknown_seconds",
            "Age of the oldest payment that is unknown; 0 when none is.",
            labels,
            registry=registry,
        )
        self._seconds = Gauge(
            "bank_reconcile_seconds",
            "How long the books last took to agree again.",
            labels,
            registry=registry,
        )
        self._settled = Counter(
            "bank_reconcile_settled", "Payments that a comparison ended.", labels, registry=registry
        )
        self._failed = Counter(
            "bank_reconcile_failed", "Comparisons that were not possible.", labels, registry=registry
        )

    def observe(
        self, cell: str, tallies: Mapping[str, tuple[int, int]], oldest_unknown_s: float, settled: int
    ) -> None:
        """Report a comparison: payments and fen by how they stand, and how many were settled."""
        for agreement, (count, amount) in tallies.items():
            self._payments.labels(cell, agreement).set(count)
            self._fen.labels(cell, agreement).set(amount)
        self._oldest.labels(cell).set(oldest_unknown_s)
        self._settled.labels(cell).inc(settled)

    def reconciled(self, cell: str, seconds: float) -> None:
        """Report that both books agree again, after so long."""
        self._seconds.labels(cell).set(seconds)

    def failed(self, cell: str) -> None:
        """Count a comparison that was not possible."""
        self._failed.labels(cell).inc()


class BookMetrics:
    """What the ledger of `cell` booked, and whether it has a primary."""

    def __init__(self, registry: CollectorRegistry, cell: str, available: Callable[[], bool]) -> None:
        movements = Counter(
            "bank_movements", "Movements acknowledged.", ("operation", "repeated", "cell"), registry=registry
        )
        self._movements = {
            (each.name, repeated): movements.labels(each.name, "true" if repeated else "false", cell)
            for each in addresses_of("ledger").values()
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


class OutboxMetrics:
    """What the ledger of `cell` did about rows of its outbox of these kinds, and what waits there."""

    def __init__(self, registry: CollectorRegistry, cell: str, kinds: Iterable[str]) -> None:
        labels = ("kind", "cell")
        depth = Gauge("bank_outbox_depth", "Rows that are not settled.", labels, registry=registry)
        oldest = Gauge("bank_outbox_oldest_seconds", "Age of the oldest of them.", labels, registry=registry)
        attempts = Counter("bank_outbox_attempts", "Rows taken to be carried out.", labels, registry=registry)
        self._ended = Counter(
            "bank_outbox_ended",
            "How attempts ended: the outcome, or `later`.",
            ("kind", "outcome", "cell"),
            registry=registry,
        )
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
