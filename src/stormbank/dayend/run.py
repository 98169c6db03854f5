"""Running day-ends of one cell: by schedule, by hand, and to the end of one that somebody else has begun.

All that is known of a run is in the books. Whoever works on it may be killed between any two lines, and the next one,
in this site or another, goes on after the last chunk that was committed.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from stormbank.dayend.terms import Terms
from stormbank.db.dayend import DayEnd, DayEnds, WrongDayError
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch
from stormbank.metrics import DayEndMetrics
from stormbank.problem import Problem
from stormbank.wait import pause

WRITE_MS: Final = 3_000
AGAIN_S: Final = 0.2
LOOK_EVERY_S: Final = 1.0

log = logging.getLogger(__name__)


class DayEndRunner:
    """Runs the day-ends of `cell`; `epoch` tells the one to write under, or raises Unavailable.

    `available` says whether the cell's books can be written from here: at a remote site they cannot, for months.
    """

    def __init__(
        self,
        cell: str,
        ends: DayEnds,
        epoch: Callable[[], Awaitable[Epoch]],
        terms: Terms,
        counts: DayEndMetrics,
        *,
        available: Callable[[], bool],
    ) -> None:
        self._cell = cell
        self._ends = ends
        self._epoch = epoch
        self._terms = terms
        self._counts = counts
        self._available = available

    async def run(self, date: dt.date, timeout_s: float) -> DayEnd | None:
        """End the business day `date` and pay its interest, or finish that; None when that takes longer.

        WrongDayError for a day that cannot end now.
        """
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            try:
                done = await self._once_through(date, until_s)
            except (Problem, asyncpg.PostgresError) as why:
                log.info("day-end of %s: %s", self._cell, why)
                done = None
            if done is not None:
                return done
            await pause(AGAIN_S)
        return None

    async def keep(self) -> None:
        """Finish what was begun, and end each day when its time has come; runs until cancelled."""
        while True:
            try:
                date = await self._pending() if self._available() else None
                if date is not None:
                    await self._once_through(date)
            except WrongDayError as why:
                # Another was faster; the next look will see it.
                log.info("day-end of %s: %s", self._cell, why)
            except (Problem, asyncpg.PostgresError) as why:
                log.info("day-end of %s: %s", self._cell, why)
            await pause(LOOK_EVERY_S)

    async def _pending(self) -> dt.date | None:
        """Return the date whose end is under way or due."""
        day = await self._ends.day(_soon())
        under_way = day.last is not None and day.last.done_at is None
        self._counts.observe(self._cell, day.date, under_way=under_way)
        if day.last is not None and under_way:
            return day.last.date
        if self._terms.every_s and day.age_s >= self._terms.every_s:
            return day.date
        return None

    async def _once_through(self, date: dt.date, until_s: float = math.inf) -> DayEnd | None:
        """Go as far as it goes without trouble and in time; the day-end if done, None also when another works on it."""
        epoch = await self._epoch()
        found = await self._ends.of(date, _soon())
        if found is None:
            await self._ends.cut(date, self._terms.rate_bp, epoch, _soon())
            log.info("day-end of %s: %s has ended", self._cell, date)
        elif found.done_at is not None:
            return found
        renew_at_s = 0.0
        while time.monotonic() < until_s:
            if time.monotonic() >= renew_at_s:
                if not await self._ends.take(date, epoch, _soon()):
                    break
                renew_at_s = time.monotonic() + self._terms.lease_s / 2
            chunk = await self._ends.pay(date, self._terms.chunk, epoch, _soon())
            self._counts.paid(self._cell, chunk.accounts, chunk.interest)
            if chunk.done:
                log.info("day-end of %s: interest of %s is paid", self._cell, date)
                break
            await pause(min(self._terms.rest_s, max(0.0, until_s - time.monotonic())))
        found = await self._ends.of(date, _soon())
        return found if found is not None and found.done_at is not None else None


def _soon() -> Deadline:
    return Deadline.after_ms(WRITE_MS)
