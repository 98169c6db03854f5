"""What every bank process reports about the requests it answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest

from stormbank import VERSION
from stormbank.metrics.names import requests
from stormbank.operations import Operation
from stormbank.outcome import outcome_of

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
NO_CELL: Final = "none"
FAILURES: Final = (429, 500, 503, 504)
"""What a gateway answers when it does not do what was asked of it."""

ANSWERS: Final = frozenset({"good", "refused"})
"""Outcomes whose time counts: a failure in no time is no quick service."""


class ServiceMetrics:
    """The registry of a process, and its requests. `cell` is the process's own, where it has one.

    Looking up labels costs more than counting: each child is looked up once.
    """

    def __init__(self, service: str, *, zone: str, pod: str, cell: str = NO_CELL) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        requests.BUILD.on(self.registry).labels(service, VERSION, zone, pod).set(1)
        self._service, self._zone, self._cell = service, zone, cell
        self._requests = requests.REQUESTS.on(self.registry)
        self._seconds = requests.SECONDS.on(self.registry)
        self.inflight = requests.INFLIGHT.on(self.registry).labels(service)
        self._answered: dict[tuple[str, int, str], Counter] = {}
        self._took: dict[str, Histogram] = {}

    def answered(self, operation: Operation, status: int, duration_s: float, cell: str | None = None) -> None:
        """Count one answer to a customer of `cell`, the process's own when None."""
        cell = self._cell if cell is None else cell
        known = self._answered.get((operation.name, status, cell))
        if known is None:
            known = self._count_of(operation, status, cell)
        known.inc()
        if outcome_of(status) in ANSWERS:
            took = self._took.get(operation.name)
            if took is None:
                took = self._seconds.labels(self._service, operation.name, operation.tier, self._zone)
                self._took[operation.name] = took
            took.observe(duration_s)

    def expect(self, operations: Iterable[Operation], cells: Sequence[str]) -> None:
        """Have the failures of each operation and cell told as 0 until there are any.

        A rate does not see a series' first value: the first failures of a burst would be missing from it.
        """
        for operation in operations:
            for cell in cells:
                for status in FAILURES:
                    self._count_of(operation, status, cell)

    def _count_of(self, operation: Operation, status: int, cell: str) -> Counter:
        labels = (
            self._service,
            operation.name,
            operation.tier,
            cell,
            self._zone,
            outcome_of(status),
            str(status),
        )
        count = self._answered[operation.name, status, cell] = self._requests.labels(*labels)
        return count

    def exposition(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)
