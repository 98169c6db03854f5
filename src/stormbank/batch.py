"""The batch: day-ends of the cells it is given, and what else the bank does when no customer waits."""

from __future__ import annotations

import os
import secrets
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

from stormbank.background import beside
from stormbank.dayend.run import DayEndRunner
from stormbank.db.dayend import DayEnds
from stormbank.db.opened import Opened, books_of
from stormbank.deadline import Deadline
from stormbank.metrics import CellMetrics, DayEndMetrics, ServiceMetrics
from stormbank.operations import Operation
from stormbank.problem import NotFound, Problem
from stormbank.service import Service, reply
from stormbank.settings.batch import BatchSettings

ANSWER_MS = 800


class CellBatch:
    """What is done for one cell."""

    def __init__(
        self, settings: BatchSettings, cell: str, metrics: ServiceMetrics, seen: CellMetrics
    ) -> None:
        self.books = opened(settings, cell, seen)
        self._ends = day_ends(settings, self.books)
        self._runner = DayEndRunner(
            cell, self._ends, self.books.epoch, settings.terms, DayEndMetrics(metrics.registry, cell)
        )

    def loops(self) -> dict[str, Coroutine[None, None, None]]:
        """Return what runs beside the service, by name."""
        cell = self.books.cell
        return {
            f"the search for the primary of {cell}": self.books.watch(),
            f"the day-ends of {cell}": self._runner.keep(),
        }

    async def fields(self) -> dict[str, Any]:
        """Tell the state as JSON fields; `trouble` where the books do not tell."""
        found: dict[str, Any] = {"cell": self.books.cell}
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


async def run(settings: BatchSettings, host: str, port: int) -> None:
    """Be a batch process until told to end."""
    common = settings.common
    metrics = ServiceMetrics("batch", zone=common.zone, pod=common.pod)
    seen = CellMetrics(metrics.registry)
    cells = [CellBatch(settings, cell, metrics, seen) for cell in settings.databases]

    async def answer(_: Operation, request: web.BaseRequest) -> web.Response:
        raise NotFound(request.path)

    async def page() -> web.Response:
        return reply(200, {"cells": [await each.fields() for each in cells]})

    async def serving() -> bool:
        return any(each.books.primary.available for each in cells)

    service = Service("batch", answer, metrics, lambda: True, serving, "/batch", page)
    loops = {name: loop for each in cells for name, loop in each.loops().items()}
    async with beside(service.end, loops):
        await service.run(host, port, common.drain_s)
