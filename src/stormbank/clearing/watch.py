"""Comparing both books of a cell every so often, and what the last comparison found."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

import asyncpg

from stormbank.clearing.party import NoAnswerError
from stormbank.clearing.reconcile import Reconciler
from stormbank.clearing.report import Report, tallies
from stormbank.metrics import ReconcileMetrics
from stormbank.problem import Problem
from stormbank.wait import pause

TROUBLE = (NoAnswerError, Problem, asyncpg.PostgresError)
"""What keeps two books from being compared; it says nothing about either."""

LOOK_EVERY_S: Final = 1.0

log = logging.getLogger(__name__)


class ReconcileWatch:
    """Compares the days of `cell` that are worth it every `every_s`, while its books are `available` from here."""

    def __init__(
        self,
        cell: str,
        reconciler: Reconciler,
        every_s: float,
        counts: ReconcileMetrics,
        *,
        available: Callable[[], bool],
    ) -> None:
        self._cell = cell
        self._reconciler = reconciler
        self._every_s = every_s
        self._counts = counts
        self._available = available
        self._apart_since_s: float | None = None
        self._last: list[Report] = []

    async def keep(self) -> None:
        """Compare; runs until cancelled."""
        while True:
            if not self._available():
                await pause(min(self._every_s, LOOK_EVERY_S))
                continue
            try:
                days = await self._reconciler.days()
                self._found([await self._reconciler.compare(day) for day in days])
            except TROUBLE as why:
                log.info("books of %s not compared: %s", self._cell, why)
                self._counts.failed(self._cell)
            await pause(self._every_s)

    def fields(self) -> list[dict[str, Any]]:
        """Tell the last comparison as JSON fields."""
        return [each.fields() for each in self._last]

    def _found(self, reports: list[Report]) -> None:
        self._last = reports
        now_s = time.monotonic()
        if not any(each.items for each in reports):
            if self._apart_since_s is not None:
                self._counts.reconciled(self._cell, now_s - self._apart_since_s)
            self._apart_since_s = None
        elif self._apart_since_s is None:
            self._apart_since_s = now_s
        oldest_s = max((each.oldest_unknown_s for each in reports), default=0.0)
        settled = sum(each.settled for each in reports)
        self._counts.observe(self._cell, tallies(reports), oldest_s, settled)
