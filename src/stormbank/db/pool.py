"""A few connections to one database server, most recently used first.

asyncpg has a pool, with another purpose: it restores and resets connections by itself. Here a connection that
failed is evidence about the server, and the decision to drop all of them or none lies with `primary`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

Connection = Any  # asyncpg ships no types
Connect = Callable[[], Awaitable[Connection]]


class Pool:
    """At most `size` connections from `connect`; `first` is already open.

    `lost` is told of each connection that ended while nobody used it.
    """

    def __init__(
        self, connect: Connect, size: int, first: Connection, lost: Callable[[], None] = lambda: None
    ) -> None:
        self.connect = connect
        self._lost = lost
        self._size = size
        self._room = asyncio.Semaphore(size)
        self._idle: list[Connection] = [first]
        self._lent: set[Connection] = set()
        self._closed = False
        first.add_termination_listener(self._ended)

    @asynccontextmanager
    async def lease(self, timeout_s: float, *, fresh: bool = False) -> AsyncIterator[Connection]:
        """Lend a connection; TimeoutError when none comes free or opens within `timeout_s`.

        A `fresh` one is opened for this: where one connection broke, the idle ones may be broken too and not know.
        """
        async with asyncio.timeout(timeout_s):
            await self._room.acquire()
            try:
                connection = await self._take(fresh=fresh)
            except BaseException:
                self._room.release()
                raise
        try:
            yield connection
        except asyncpg.PostgresError:
            raise  # the server's own answer: the connection is as good as before, or closed
        except BaseException:
            connection.terminate()
            raise
        finally:
            self._lent.discard(connection)
            if not connection.is_closed():
                self._idle.append(connection)
            self._room.release()

    async def _take(self, *, fresh: bool) -> Connection:
        connection = self._open_idle()
        if fresh and connection is not None:
            connection.terminate()  # it makes room for the new one
        if fresh or connection is None:
            connection = await self._open()
            if self._closed:
                connection.terminate()
                raise ConnectionAbortedError("the pool was closed")
        self._lent.add(connection)
        return connection

    async def fill(self) -> None:
        """Open what is missing, one after the other, so that no burst of requests has to.

        Opening a connection costs the server a process and both sides a key derivation. When a neighbour dies and
        its load comes here, that must not come on top.
        """
        while not self._closed and len(self._idle) + len(self._lent) < self._size:
            connection = await self._open()
            if self._closed:
                connection.terminate()
            else:
                self._idle.insert(0, connection)

    async def _open(self) -> Connection:
        connection = await self.connect()
        connection.add_termination_listener(self._ended)
        return connection

    def _ended(self, connection: Connection) -> None:
        # Who had it in use is told by it. Of an idle one nobody would know until somebody asks for it.
        if not self._closed and connection in self._idle:
            self._idle.remove(connection)
            self._lost()

    def _open_idle(self) -> Connection | None:
        if self._closed:
            raise ConnectionAbortedError("the pool was closed")
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def terminate(self) -> None:
        """Close every connection at once, lent ones too: whoever waits on one is told that it is lost."""
        self._closed = True
        for connection in (*self._idle, *self._lent):
            connection.terminate()
        self._idle.clear()
