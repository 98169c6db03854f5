"""A new TCP connection, as far as its handshake: enough to know that packets go both ways.

The last packet of the handshake is held back and the connection reset instead, so the other side's kernel answers
and its program never sees anything: PostgreSQL would start a process for each.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable

PATIENCE_S = 1.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def knock(address: str, port: int, answered: Callable[[], None]) -> None:
    """Start a handshake with an IPv4 address; `answered()` once it succeeds, nothing if not within PATIENCE_S.

    To be called in a running event loop. A refusal is no success: nobody serves there.
    """
    loop = asyncio.get_running_loop()
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def end() -> None:
        giving_up.cancel()
        loop.remove_writer(connection)
        code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        connection.close()
        if code == 0:
            answered()

    def give_up() -> None:
        loop.remove_writer(connection)
        connection.close()

    try:
        code = connection.connect_ex((address, port))
    except OSError:
        code = errno.EINVAL
    if code not in (0, errno.EINPROGRESS):
        connection.close()
        return
    giving_up = loop.call_later(PATIENCE_S, give_up)
    loop.add_writer(connection, end)
