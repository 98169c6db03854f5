"""Day-ends in the books of one cell: the cut, who works on one, and interest chunk by chunk."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from stormbank.db.access import Access
from stormbank.db.chunk import Chunk, pay
from stormbank.db.pool import Connection
from stormbank.db.written import numbers, written
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch

_STATE: Final = """
SELECT b.date AS business_date, extract(epoch FROM clock_timestamp() - b.began_at)::float8 AS age_s, d.*
FROM business_day b
LEFT JOIN LATERAL (SELECT * FROM day_end ORDER BY date DESC LIMIT 1) d ON true
"""
_OF: Final = "SELECT * FROM day_end WHERE date = $1"
_CUT: Final = "SELECT bank_day_cut($1, $2, $3, $4)"
_TAKE: Final = "SELECT bank_take_day_end($1, $2, $3, $4, $5)"


class WrongDayError(Exception):
    """The day cannot end now: it is not the business date, or the day before is not done."""


@dataclass(frozen=True)
class DayEnd:
    """A day that ended, and how far its interest has got. `interest` in fen, `done_at` None until all have theirs."""

    date: dt.date
    rate_bp: int
    position: int
    accounts: int
    interest: int
    worker: str
    began_at: dt.datetime
    done_at: dt.datetime | None

    def fields(self) -> dict[str, Any]:
        """Return it as JSON fields."""
        plain = dict(self.__dict__)
        plain["date"], plain["began_at"] = self.date.isoformat(), self.began_at.isoformat()
        plain["done_at"] = self.done_at and self.done_at.isoformat()
        return plain


@dataclass(frozen=True)
class BusinessDay:
    """The date that is booked under now, for how many seconds, and the last day that ended."""

    date: dt.date
    age_s: float
    last: DayEnd | None


class DayEnds:
    """The day-ends of the cell behind `access`, worked on as `worker`.

    Every method raises Unavailable and DeadlineExceeded; those that write, StaleEpoch. `once` off forgets what
    was paid whenever a worker starts.
    """

    def __init__(self, access: Access, worker: str, *, lease_s: float, once: bool) -> None:
        self._access = access
        self._worker = worker
        self._lease = dt.timedelta(seconds=lease_s)
        self._once = once
        self._from_memory: dict[dt.date, int] = {}

    async def day(self, deadline: Deadline) -> BusinessDay:
        """Return the business day."""

        async def work(connection: Connection) -> Any:
            return await connection.fetchrow(_STATE)

        row = await self._access.read(work, deadline)
        last = None if row["date"] is None else _day_end(row)
        return BusinessDay(row["business_date"], row["age_s"], last)

    async def of(self, date: dt.date, deadline: Deadline) -> DayEnd | None:
        """Return the day-end of `date`, None while that day has not ended."""

        async def work(connection: Connection) -> Any:
            return await connection.fetchrow(_OF, date)

        row = await self._access.read(work, deadline)
        return None if row is None else _day_end(row)

    async def cut(self, date: dt.date, rate_bp: int, epoch: Epoch | None, deadline: Deadline) -> None:
        """End the business day `date`, unless it has ended; WrongDayError."""

        async def work(connection: Connection) -> None:
            await connection.execute(_CUT, *numbers(epoch), date, rate_bp)

        try:
            await written(self._access, work, deadline)
        except asyncpg.PostgresError as error:
            if error.sqlstate not in ("BK420", "BK421"):
                raise
            raise WrongDayError(str(error)) from None

    async def take(self, date: dt.date, epoch: Epoch | None, deadline: Deadline) -> bool:
        """Take the day-end of `date` to work on it; false while another does, or when it is done."""
        if not self._once:
            return True

        async def work(connection: Connection) -> Any:
            return await connection.fetchval(_TAKE, *numbers(epoch), date, self._worker, self._lease)

        return bool(await written(self._access, work, deadline))

    async def pay(self, date: dt.date, size: int, epoch: Epoch | None, deadline: Deadline) -> Chunk:
        """Pay the next `size` customers the interest of `date`, all or none, and note that they have it."""

        async def work(connection: Connection) -> Chunk:
            start = None if self._once else self._from_memory.get(date, 0)
            return await pay(connection, date, size, numbers(epoch), start=start)

        chunk = await written(self._access, work, deadline)
        if not self._once:
            self._from_memory[date] = chunk.position
        return chunk


def _day_end(row: Any) -> DayEnd:
    return DayEnd(**{name: row[name] for name in DayEnd.__dataclass_fields__})
