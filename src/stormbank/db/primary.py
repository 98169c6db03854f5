"""Finding the primary, holding on to it, and noticing that it is gone.

One background task asks all members at the same time who takes writes, opens a pool there and lets go of it
when the server turns out to be dead, read-only or silent. Requests never search: they use what is there or
are told at once that there is nothing, so that a lost database costs neither time nor threads.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg

from stormbank.db.address import without_user
from stormbank.db.connecting import CONNECT_TIMEOUT_S, connect, reach
from stormbank.db.members import LOST, Members, takes_writes
from stormbank.db.pool import Connection, Pool
from stormbank.problem import Unavailable
from stormbank.wait import pause, until_set

SEARCH_PAUSE_S = 0.1
CHECK_EVERY_S = 2.0
LOCK_TIMEOUT_MS = 1000

log = logging.getLogger(__name__)


class Primary:
    """The member that takes writes, if there is one. `prepare` runs on the first connection to each.

    While there is none, all are asked again every `search_pause_s`.
    """

    def __init__(
        self,
        dsns: Sequence[str],
        *,
        password: str | None,
        pool_size: int,
        prepare: Callable[[Connection], Awaitable[None]],
        search_pause_s: float = SEARCH_PAUSE_S,
        lock_timeout_ms: int = LOCK_TIMEOUT_MS,
    ) -> None:
        self._lock_timeout_ms = lock_timeout_ms
        self._search_pause_s = search_pause_s
        self._dsns = dsns
        self._password = password
        self._pool_size = pool_size
        self._prepare = prepare
        self._pool: Pool | None = None
        self._dsn = self._where = ""
        self._suspected = asyncio.Event()
        self._filling: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._said: dict[str, str] = {}
        self._members = Members(self._connect)
        self.found_once = asyncio.Event()

    @property
    def available(self) -> bool:
        """Whether there is a primary as far as is known."""
        return self._pool is not None

    @asynccontextmanager
    async def lease(self, timeout_s: float, *, fresh: bool = False) -> AsyncIterator[Connection]:
        """Lend a connection to the primary, a new one if `fresh`; Unavailable at once when there is none."""
        if self._pool is None:
            raise Unavailable("database")
        async with self._pool.lease(timeout_s, fresh=fresh) as connection:
            yield connection

    def suspect(self) -> None:
        """Report that the primary misbehaved: it is asked again, on a connection of its own."""
        self._settled.clear()
        self._suspected.set()

    async def settled(self, timeout_s: float) -> bool:
        """Wait until the last suspicion is resolved; true when there is a primary after it."""
        return await until_set(self._settled, timeout_s) and self.available

    async def watch(self) -> None:
        """Find, hold, notice, find again; runs until cancelled."""
        try:
            while True:
                if self._pool is None and not await self._find():
                    await pause(self._search_pause_s)
                elif not await self._holds_still():
                    log.warning("database lost: %s", self._where)
                    self._let_go()
        finally:
            self._let_go()
            self._members.close()

    async def _holds_still(self) -> bool:
        """Wait for a suspicion or the time of the next check; false when the primary is one no more."""
        if not self._suspected.is_set():
            self._settled.set()
        suspected = await until_set(self._suspected, CHECK_EVERY_S)
        self._suspected.clear()
        pool = self._pool
        if pool is None:
            return False
        try:
            if suspected:
                # On a connection of its own: one broken connection is not a lost server. An address that vanished
                # is told apart sooner than a server that is slow.
                await reach(self._dsn)
                return await takes_writes(await pool.connect(), keep=False)
            async with pool.lease(CONNECT_TIMEOUT_S) as connection:
                return await takes_writes(connection, keep=True)
        except asyncpg.TooManyConnectionsError:
            return True
        except (*LOST, asyncpg.PostgresError) as error:
            self._note(self._where, _words(error))
            if not suspected:
                # All connections may be busy, or this one broken. Ask again, as above.
                self.suspect()
            return not suspected

    def _let_go(self) -> None:
        if self._filling is not None:
            self._filling.cancel()
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    async def _find(self) -> bool:
        asked = [asyncio.create_task(self._open_if_primary(dsn)) for dsn in self._dsns]
        chosen: Connection = None
        try:
            for answer in asyncio.as_completed(asked):
                dsn, connection = await answer
                if connection is None or not await self._prepared(dsn, connection):
                    continue
                chosen = connection
                self._pool = Pool(
                    functools.partial(self._connect, dsn), self._pool_size, connection, self.suspect
                )
                self._filling = asyncio.create_task(self._fill(self._pool))
                self._dsn, self._where = dsn, without_user(dsn)
                self._said.clear()
                self._members.close()
                self.found_once.set()
                log.info("database found: %s", self._where)
                return True
        finally:
            await _discard(asked, chosen)
        # A search that failed settles a suspicion too: there is none.
        self._settled.set()
        return False

    async def _fill(self, pool: Pool) -> None:
        try:
            await pool.fill()
        except (*LOST, asyncpg.PostgresError) as error:
            self._note(self._where, _words(error))  # whoever needs a connection opens it, and is told

    async def _prepared(self, dsn: str, connection: Connection) -> bool:
        try:
            await self._prepare(connection)
        except (*LOST, asyncpg.PostgresError) as error:
            self._note(without_user(dsn), _words(error))
            return False
        return True

    def _note(self, where: str, text: str) -> None:
        """Log what a member says, once as long as it says the same."""
        if self._said.get(where) != text:
            self._said[where] = text
            log.info("database %s: %s", where, text)

    async def _connect(self, dsn: str) -> Connection:
        settings = {
            "application_name": "stormbank-ledger",
            "lock_timeout": str(self._lock_timeout_ms),
            # An older snapshot than each statement's own would let a write pass under an epoch that has ended.
            "default_transaction_isolation": "read committed",
            "synchronous_commit": "on",
        }
        return await connect(dsn, self._password, settings)

    async def _open_if_primary(self, dsn: str) -> tuple[str, Connection | None]:
        try:
            connection = await self._members.open_if_primary(dsn)
        except (*LOST, asyncpg.PostgresError) as error:
            self._note(without_user(dsn), _words(error))
            return dsn, None
        if connection is None:
            self._note(without_user(dsn), "takes no writes")
        return dsn, connection


async def _discard(asked: Sequence[asyncio.Task[tuple[str, Connection | None]]], chosen: Connection) -> None:
    """End the questions still open, and the connections of answers that nobody uses."""
    for task in asked:
        task.cancel()
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        if not isinstance(answer, BaseException) and answer[1] is not None and answer[1] is not chosen:
            answer[1].terminate()


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
