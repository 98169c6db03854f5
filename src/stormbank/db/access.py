"""Running one piece of database work for one request: in time, at most one retry, never a false answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol, TypeVar

import asyncpg

from stormbank.db.members import LOST
from stormbank.db.pool import Connection
from stormbank.db.primary import Primary
from stormbank.deadline import Deadline
from stormbank.problem import DeadlineExceeded, Unavailable

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)
Work = Callable[[Connection], Awaitable[T]]


READ_TIMEOUT_S: Final = 1.0
# Waiting for a connection as long as this is a reason to look after the primary, and the longest that anybody waits
# while it is known that commits stand still: the gateways have room for so many requests, readers' among them.
LONG_WAIT_S: Final = 0.5
SETTLE_S: Final = 0.25
READ_RESERVE: Final = 2  # connections that writes may not take


def _alone(waited: asyncpg.PostgresError) -> bool:
    """Whether what waited in vain was the only try of its request: it waited for an account.

    Nobody gets so far whose key another try has put in and not committed. Any other wait may be for just that try,
    which is then booked all the same.
    """
    return "FROM account" in (waited.context or "")


class Attempt(Protocol[R_co]):
    """One try; `again` for the second, which trusts no connection that was open before."""

    async def __call__(self, *, again: bool) -> R_co:
        """Raises what the database raised."""


class Access:
    """The requests' way to the primary. Both methods raise Unavailable or DeadlineExceeded."""

    def __init__(self, primary: Primary, pool_size: int) -> None:
        self._primary = primary
        self._write_permits = asyncio.Semaphore(max(1, pool_size - READ_RESERVE))
        self._parked: set[asyncio.Task[object]] = set()

    async def read(self, work: Work[T], deadline: Deadline) -> T:
        """Run `work`, which changes nothing."""

        async def once(*, again: bool) -> T:
            async with self._lease(self._patience_s(deadline), fresh=again) as connection:
                limit_s = min(READ_TIMEOUT_S, max(0.0, deadline.remaining_s()))
                overdue = asyncio.get_running_loop().call_later(limit_s, connection.terminate)
                try:
                    return await work(connection)
                finally:
                    overdue.cancel()

        return await self._twice(once, deadline, outcome="none")

    async def write(self, work: Work[T], deadline: Deadline) -> T:
        """Run `work`, one statement that commits and may be repeated; its answer means committed.

        A commit that outlives the deadline is left to end by itself and never cancelled: PostgreSQL would
        answer a cancelled wait for the standby by showing data that is not replicated. It keeps its
        connection and its permit, so commits that stand still cannot take the connections of the readers.
        """

        async def once(*, again: bool) -> T:
            task = asyncio.create_task(self._hold_and_write(work, deadline, fresh=again))
            done, _ = await asyncio.wait({task}, timeout=max(0.0, deadline.remaining_s()))
            if done:
                return task.result()
            self._parked.add(task)
            task.add_done_callback(self._unpark)
            self._primary.suspect()
            raise DeadlineExceeded("database", outcome="unknown")

        return await self._twice(once, deadline, outcome="unknown")

    async def _hold_and_write(self, work: Work[T], deadline: Deadline, *, fresh: bool) -> T:
        clock = asyncio.get_running_loop().time
        until_s = clock() + self._patience_s(deadline)
        try:
            async with asyncio.timeout_at(until_s):
                await self._write_permits.acquire()
        except TimeoutError:
            # Commits stand still; the ones that wait have raised the suspicion already.
            raise Unavailable("database_busy") from None
        try:
            async with self._lease(max(0.0, until_s - clock()), fresh=fresh) as connection:
                return await work(connection)
        finally:
            self._write_permits.release()

    def _patience_s(self, deadline: Deadline) -> float:
        """How long a request may wait for its connection: half of its time, the other half is for the work.

        Whoever is told "busy" sooner only asks again. But once a commit is overdue the next ones wait in vain.
        """
        half_s = max(0.0, deadline.remaining_s() / 2)
        return min(LONG_WAIT_S, half_s) if self._parked else half_s

    @asynccontextmanager
    async def _lease(self, wait_s: float, *, fresh: bool) -> AsyncIterator[Connection]:
        suspicion = asyncio.get_running_loop().call_later(LONG_WAIT_S, self._primary.suspect)
        try:
            async with self._primary.lease(wait_s, fresh=fresh) as connection:
                suspicion.cancel()
                yield connection
        finally:
            suspicion.cancel()

    def _unpark(self, task: asyncio.Task[object]) -> None:
        self._parked.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: whoever asked has long been answered

    async def _twice(self, once: Attempt[T], deadline: Deadline, *, outcome: str) -> T:
        known = "none"  # what is known of earlier tries: nothing was done, or it is unknown
        for last in (False, True):
            try:
                return await once(again=last)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as waited:
                raise Unavailable("contention", outcome=known if _alone(waited) else outcome) from None
            except (TimeoutError, asyncpg.InsufficientResourcesError):
                # No connection within the time, nothing was sent.
                self._primary.suspect()
                raise Unavailable("database_busy", outcome=known) from None
            except Unavailable as nothing_sent:
                raise Unavailable(nothing_sent.fields["reason"], outcome=known) from None
            except LOST:
                self._primary.suspect()
                known = outcome
                if deadline.remaining_s() <= 0:
                    raise DeadlineExceeded("database", outcome=known) from None
                if last or not await self._primary.settled(min(SETTLE_S, deadline.remaining_s())):
                    raise Unavailable("database", outcome=known) from None
            except asyncpg.PostgresError:
                # Even a refusal does not say what became of a try that was cut off.
                if known == "none":
                    raise
                raise Unavailable("database", outcome=known) from None
        raise AssertionError("unreachable")
