"""The batch: day-ends of the cells it is given, and what else the bank does when no customer waits."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web

from stormbank.background import beside
from stormbank.clearing.party import NAME, OUTCOMES, Party
from stormbank.clearing.reconcile import Reconciler
from stormbank.clearing.watch import ReconcileWatch
from stormbank.dayend.run import DayEndRunner
from stormbank.db.dayend import DayEnds
from stormbank.db.opened import Opened, books_of
from stormbank.db.outbox import Outbox
from stormbank.db.payments import Payments
from stormbank.deadline import Deadline
from stormbank.metrics import CallMetrics, CellMetrics, DayEndMetrics, ReconcileMetrics, ServiceMetrics
from stormbank.operations import Operation
from stormbank.problem import NotFound, Problem
from stormbank.service import Service, reply
from stormbank.settings.batch import BatchSettings

ANSWER_MS: Final = 800
PARTY_TIMEOUT_S: Final = 3.0  # nobody waits for it


@dataclass(frozen=True)
class BatchMetrics:
    """What a batch process reports, of every cell."""

    cells: CellMetrics
    day_ends: DayEndMetrics
    reconciling: ReconcileMetrics


class CellBatch:
    """What is done for one cell."""

    def __init__(self, settings: BatchSettings, cell: str, party: Party | None, counts: BatchMetrics) -> None:
        self.books = opened(settings, cell, counts.cells)
        self._ends = day_ends(settings, self.books)
        self._runner = runner_of(settings, self.books, self._ends, counts.day_ends)
        self._compared: ReconcileWatch | None = None
        if party is not None and settings.reconcile_every_s:
            self._compared = ReconcileWatch(
                cell,
                reconciler_of(self.books, party),
                settings.reconcile_every_s,
                counts.reconciling,
                available=lambda: self.books.primary.available,
            )

    def loops(self) -> dict[str, Coroutine[None, None, None]]:
        """Return what runs beside the service, by name."""
        cell = self.books.cell
        loops = {
            f"the search for the primary of {cell}": self.books.watch(),
            f"the day-ends of {cell}": self._runner.keep(),
        }
        if self._compared is not None:
            loops[f"the reconciling of {cell}"] = self._compared.keep()
        return loops

    async def fields(self) -> dict[str, Any]:
        """Tell the state as JSON fields; `trouble` where the books do not tell."""
        found: dict[str, Any] = {"cell": self.books.cell}
        if self._compared is not None:
            found["reconciled"] = self._compared.fields()
        try:
            day = await self._ends.day(Deadline.after_ms(ANSWER_MS))
        except Problem as problem:
            return {**found, "trouble": problem.fields["reason"]}
        found |= {"business_date": day.date.isoformat(), "business_day_age_s": round(day.age_s, 3)}
        return {**found, "day_end": day.last and day.last.fields()}


def opened(settings: BatchSettings, cell: str, seen: CellMetrics | None = None) -> Opened:
    """Open the books of a cell as the settings say."""
    return books_of(
        cell,
        settings.databases[cell],
        settings.common.cells,
        password=settings.db_password,
        search_s=settings.db_search_s,
        observe=seen.observe if seen is not None else lambda _: None,
    )


def day_ends(settings: BatchSettings, books: Opened) -> DayEnds:
    """Return the day-ends of a cell, worked on under a name that nobody else has."""
    worker = f"{settings.common.pod}-{os.getpid()}-{secrets.token_hex(4)}"
    return DayEnds(books.access, worker, lease_s=settings.terms.lease_s, once=settings.once)


def runner_of(settings: BatchSettings, books: Opened, ends: DayEnds, counts: DayEndMetrics) -> DayEndRunner:
    """Return who runs the day-ends of a cell."""
    return DayEndRunner(
        books.cell, ends, books.epoch, settings.terms, counts, available=lambda: books.primary.available
    )


def party_of(settings: BatchSettings, count: Callable[[str], None] = lambda _: None) -> Party:
    """Return the clearing party, which the settings must name; `count` as Party has it."""
    if settings.clearing_url is None:
        raise ValueError("no clearing party")
    return Party(settings.clearing_url, PARTY_TIMEOUT_S, count)


def reconciler_of(books: Opened, party: Party) -> Reconciler:
    """Return who compares the books of a cell with the party's."""
    # It only settles rows, and takes none.
    outbox = Outbox(books.access, lease_s=1.0)
    return Reconciler(books.cell, Payments(books.access), outbox, party, books.epoch)


async def run(settings: BatchSettings, host: str, port: int) -> None:
    """Be a batch process until told to end."""
    common = settings.common
    metrics = ServiceMetrics("batch", zone=common.zone, pod=common.pod)
    counts = BatchMetrics(
        CellMetrics(metrics.registry), DayEndMetrics(metrics.registry), ReconcileMetrics(metrics.registry)
    )
    calls = CallMetrics(metrics.registry)
    async with AsyncExitStack() as stack:
        cells = []
        for cell in settings.databases:
            party = None
            if settings.clearing_url is not None:
                count = partial(calls.counter(NAME, OUTCOMES, (cell,)), None)
                party = await stack.enter_async_context(party_of(settings, count))
            cells.append(CellBatch(settings, cell, party, counts))
        service = _service(cells, metrics)
        loops = {name: loop for each in cells for name, loop in each.loops().items()}
        await stack.enter_async_context(beside(service.end, loops))
        await service.run(host, port, common.drain_s)


def _service(cells: Sequence[CellBatch], metrics: ServiceMetrics) -> Service:
    async def answer(_: Operation, request: web.BaseRequest) -> web.Response:
        raise NotFound(request.path)

    async def page() -> web.Response:
        return reply(200, {"cells": [await each.fields() for each in cells]})

    async def serving() -> bool:
        return any(each.books.primary.available for each in cells)

    return Service("batch", answer, metrics, lambda: True, serving, "/batch", page)
