"""Reading from a standby while there is no primary, and how old what it shows can be.

What is proven: PostgreSQL tells of a standby the time of the last commit that it has replayed. Whatever had been
acknowledged before that time lies before that commit in the log, and has been replayed as well. So an answer shows all
that was acknowledged until then, and perhaps more. It is the primary's clock that is compared with this process's, and
clocks may be apart.

On an idle database the last commit is old and the standby is not: so whoever has a primary commits something small from
time to time, in nobody's table.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg

from stormbank.db.access import READ_TIMEOUT_S, T, Work
from stormbank.db.address import without_user
from stormbank.db.connecting import CONNECT_TIMEOUT_S, connect
from stormbank.db.members import LOST
from stormbank.db.pool import Connection, Pool
from stormbank.db.primary import Primary
from stormbank.deadline import Deadline
from stormbank.problem import Unavailable
from stormbank.wait import pause

# So many beats in the time that an answer may be old: one that is late changes nothing.
BEATS: Final = 6
# Nobody is asked again sooner after nobody could be found.
_AGAIN_S: Final = 0.2
_POOL: Final = 4

_AS_OF: Final = "SELECT pg_last_xact_replay_timestamp() WHERE pg_is_in_recovery()"
# Not waited for: it is to be seen by the standby that gets it, not to be safe.
_BEAT: Final = """
SELECT set_config('synchronous_commit', 'local', true), pg_logical_emit_message(true, 'stormbank', 'beat')
"""

log = logging.getLogger(__name__)


class Standbys:
    """The members that follow, if `longest_s` is above 0: how old an answer of theirs may be.

    `same_bank` raises on the first connection to each that is not of this cell's bank.
    """

    def __init__(
        self,
        dsns: Sequence[str],
        *,
        password: str | None,
        longest_s: float,
        same_bank: Callable[[Connection], Awaitable[None]],
    ) -> None:
        self._dsns = dsns
        self._password = password
        self._longest_s = longest_s
        self._same_bank = same_bank
        self._pool: Pool | None = None
        self._finding: asyncio.Task[Pool | None] | None = None
        self._not_before_s = 0.0

    @property
    def on(self) -> bool:
        """Whether a standby may be asked at all."""
        return self._longest_s > 0

    async def read(self, work: Work[T], deadline: Deadline) -> tuple[T, dt.datetime]:
        """Run `work` on a standby; its answer, and until when it shows everything. Unavailable when none may answer."""
        pool = await self._found(min(CONNECT_TIMEOUT_S, deadline.remaining_s()))
        if pool is None:
            raise Unavailable("database")
        limit_s = min(READ_TIMEOUT_S, max(0.0, deadline.remaining_s()))
        try:
            async with pool.lease(limit_s) as connection:
                overdue = asyncio.get_running_loop().call_later(limit_s, connection.terminate)
                try:
                    # The time first: what is read after it may be newer, never older.
                    as_of = await self._as_of(connection)
                    return await work(connection), as_of
                finally:
                    overdue.cancel()
        except (*LOST, asyncpg.PostgresError):
            self._let_go(pool)
            raise Unavailable("database") from None

    async def keep(self, primary: Primary) -> None:
        """Show standbys of a primary that it is alive, and leave them alone meanwhile; runs until cancelled."""
        if not self.on:
            await asyncio.Event().wait()
        try:
            while True:
                await pause(self._longest_s / BEATS)
                if primary.available:
                    self._let_go(self._pool)
                    await _beat(primary)
        finally:
            self._let_go(self._pool)

    async def _as_of(self, connection: Connection) -> dt.datetime:
        """Until when this standby shows everything; Unavailable when that is too long ago, or it follows no more."""
        as_of: dt.datetime | None = await connection.fetchval(_AS_OF)
        if as_of is None:
            raise ConnectionRefusedError("no standby, or one that has replayed nothing")
        if time.time() - as_of.timestamp() > self._longest_s:
            raise Unavailable("database")
        return as_of

    async def _found(self, timeout_s: float) -> Pool | None:
        """A pool of connections to one, searched for once for all who ask at this time."""
        if self._pool is not None:
            return self._pool
        if self._finding is None:
            if time.monotonic() < self._not_before_s:
                return None
            self._finding = asyncio.create_task(self._find())
            self._finding.add_done_callback(self._search_is_over)
        done, _ = await asyncio.wait({self._finding}, timeout=max(0.0, timeout_s))
        return self._pool if done else None

    def _search_is_over(self, task: asyncio.Task[Pool | None]) -> None:
        self._finding = None
        self._not_before_s = time.monotonic() + _AGAIN_S
        self._pool = None if task.cancelled() or task.exception() else task.result()

    async def _find(self) -> Pool | None:
        """Ask all members at once: the one that died may be silent."""
        asked = [asyncio.create_task(self._open(dsn)) for dsn in self._dsns]
        chosen: tuple[str, Connection] | None = None
        try:
            for answer in asyncio.as_completed(asked):
                chosen = await answer
                if chosen is not None:
                    log.info("no primary: %s shows what it has", without_user(chosen[0]))
                    return Pool(functools.partial(self._connect, chosen[0]), _POOL, chosen[1])
            return None
        finally:
            for task in asked:
                task.cancel()
            for other in await asyncio.gather(*asked, return_exceptions=True):
                if isinstance(other, tuple) and other != chosen:
                    other[1].terminate()

    async def _open(self, dsn: str) -> tuple[str, Connection] | None:
        """A connection to a member that may answer."""
        try:
            connection = await self._connect(dsn)
        except (*LOST, asyncpg.PostgresError):
            return None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._as_of(connection)
                await self._same_bank(connection)
        except (*LOST, asyncpg.PostgresError, Unavailable):
            connection.terminate()
            return None
        except BaseException:
            connection.terminate()
            raise
        return dsn, connection

    async def _connect(self, dsn: str) -> Connection:
        return await connect(dsn, self._password, {"application_name": "stormbank-standby"})

    def _let_go(self, pool: Pool | None) -> None:
        if pool is not None:
            pool.terminate()
        if self._pool is pool:
            self._pool = None


async def _beat(primary: Primary) -> None:
    try:
        async with primary.lease(CONNECT_TIMEOUT_S) as connection, asyncio.timeout(CONNECT_TIMEOUT_S):
            await connection.fetch(_BEAT)
    except (*LOST, asyncpg.PostgresError, Unavailable):
        return  # whoever needs the primary will say so
