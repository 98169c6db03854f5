"""Opening connections to a database server that notice when it has vanished."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

import asyncpg

from stormbank.db.address import host_of
from stormbank.db.pool import Connection
from stormbank.watchful import watch

CONNECT_TIMEOUT_S: Final = 1.0
REACH_TIMEOUT_S: Final = 0.5


async def connect(dsn: str, password: str | None, settings: Mapping[str, str]) -> Connection:
    """Open one. Raises what asyncpg raises, TimeoutError after CONNECT_TIMEOUT_S."""
    connection = await asyncpg.connect(
        dsn, password=password, timeout=CONNECT_TIMEOUT_S, server_settings=dict(settings)
    )
    # asyncpg lets nobody choose the socket's options, and its own has none.
    opened = connection._transport.get_extra_info("socket")  # noqa: SLF001
    if opened is not None:
        with contextlib.suppress(OSError):
            watch(opened)
    return connection


async def reach(dsn: str) -> None:
    """Raise OSError (TimeoutError is one) unless the server's machine takes a connection.

    That takes no work of the server's, so it need not be given the time that a busy one may need.
    """
    host, port = host_of(dsn)
    async with asyncio.timeout(REACH_TIMEOUT_S):
        _, writer = await asyncio.open_connection(host, port)
    writer.transport.abort()
