"""The epochs of cells, and what a ledger books."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter

from stormbank.epoch import CellState
from stormbank.metrics.names import books
from stormbank.operations import addresses_of


class CellMetrics:
    """The epoch of each cell as this process last heard of it; no series before it has."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._promotion = books.PROMOTION.on(registry)
        self._version = books.VERSION.on(registry)

    def observe(self, state: CellState) -> None:
        """Report `state`."""
        self._promotion.labels(state.cell).set(state.epoch.promotion)
        self._version.labels(state.cell).set(state.epoch.version)


class BookMetrics:
    """What the ledger of `cell` booked, and whether it has a primary."""

    def __init__(self, registry: CollectorRegistry, cell: str, available: Callable[[], bool]) -> None:
        movements = books.MOVEMENTS.on(registry)
        self._movements = {
            (each.name, repeated): movements.labels(each.name, "true" if repeated else "false", cell)
            for each in addresses_of("ledger").values()
            if each.money
            for repeated in (False, True)
        }
        self._cell = cell
        self._writes = books.WRITES.on(registry)
        self._ended: dict[tuple[str, str], Counter] = {}
        self._stale = books.STALE.on(registry).labels(cell)
        books.AVAILABLE.on(registry).set_function(lambda: float(available()))

    def moved(self, operation: str, *, repeated: bool) -> None:
        """Count one movement acknowledged."""
        self._movements[operation, repeated].inc()

    def wrote(self, operation: str, outcome: str) -> None:
        """Count one write taken up, by its end."""
        known = self._ended.get((operation, outcome))
        if known is None:
            known = self._ended[operation, outcome] = self._writes.labels(operation, self._cell, outcome)
        known.inc()

    def stale(self) -> None:
        """Count one write refused for its epoch."""
        self._stale.inc()


class StaleReads:
    """What a standby of `cell` was asked for, while there was no primary."""

    def __init__(self, registry: CollectorRegistry, cell: str) -> None:
        self._cell = cell
        self._reads = books.STALE_READS.on(registry)

    def read(self, operation: str) -> None:
        """Count one."""
        self._reads.labels(operation, self._cell).inc()
