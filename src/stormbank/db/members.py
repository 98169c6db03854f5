"""Asking the members of a database who takes writes, again and again, on connections that are kept for it.

In a region that waits for its day nobody does, for months. A new connection for each question costs both sides more
than all else that such a region does: a process there, and a proof of the password here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from stormbank.db.connecting import CONNECT_TIMEOUT_S
from stormbank.db.pool import Connection

# What a broken, dying, starting, demoted or silent server sounds like. TimeoutError is an OSError.
LOST: Final = (
    OSError,
    asyncpg.InterfaceError,
    # A connection that has read the server's farewell, and not yet that it is closed.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.ReadOnlySQLTransactionError,
)


class Members:
    """Keeps the connection to each member that takes no writes. A standby that is promoted says so on it."""

    def __init__(self, connect: Callable[[str], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._kept: dict[str, Connection] = {}

    async def open_if_primary(self, dsn: str) -> Connection | None:
        """Return a connection to the member at `dsn`, None when it takes no writes; LOST or PostgresError."""
        kept = self._kept.pop(dsn, None)
        if kept is not None:
            # A server that was started anew has ended it, which says nothing of what it is now.
            with contextlib.suppress(*LOST, asyncpg.PostgresError):
                return await self._ask(dsn, kept)
        return await self._ask(dsn, await self._connect(dsn))

    def close(self) -> None:
        """End what is kept."""
        for connection in self._kept.values():
            connection.terminate()
        self._kept.clear()

    async def _ask(self, dsn: str, connection: Connection) -> Connection | None:
        if await takes_writes(connection, keep=True):
            return connection
        self._kept[dsn] = connection
        return None


async def takes_writes(connection: Connection, *, keep: bool) -> bool:
    """Ask a server whether it is the primary; the connection is closed on trouble, or when not to be kept."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return bool(await connection.fetchval("SHOW transaction_read_only") == "off")
    except BaseException:
        keep = False
        raise
    finally:
        if not keep:
            connection.terminate()
