"""New TCP connections, as far as their handshake: enough to know that packets go both ways.

The last packet of the handshake is held back and the connection reset instead, so the other side's kernel answers
and its program never sees anything: PostgreSQL would start a process for each.
"""

from __future__ import annotations

import asyncio
import errno
import select
import socket
import struct
from collections.abc import Callable
from typing import NamedTuple

PATIENCE_S = 1.0
_KIND = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Knocks:
    """The handshakes under way. To be made in a running event loop.

    They have a poll of their own, which the loop watches: to register each with asyncio costs more than all the rest.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._poll = select.epoll()
        self._pending: dict[int, _Knock] = {}
        """By file number, the oldest first."""
        self._loop.add_reader(self._poll.fileno(), self._take)

    def start(self, address: str, port: int, answered: Callable[[], None]) -> None:
        """Knock at an IPv4 address; `answered()` once it succeeds, nothing if not within PATIENCE_S.

        A refusal is no success: nobody serves there.
        """
        connection = socket.socket(socket.AF_INET, _KIND)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        try:
            code = connection.connect_ex((address, port))
        except OSError:
            code = errno.EINVAL
        if code not in (0, errno.EINPROGRESS):
            connection.close()
            return
        self._poll.register(connection, select.EPOLLOUT)
        self._pending[connection.fileno()] = _Knock(connection, self._loop.time(), answered)

    def sweep(self) -> None:
        """Give up what is not answered; to be called every so often."""
        before = self._loop.time() - PATIENCE_S
        while self._pending:
            number, oldest = next(iter(self._pending.items()))
            if oldest.began > before:
                break
            del self._pending[number]
            oldest.connection.close()

    def _take(self) -> None:
        for number, _ in self._poll.poll(0):
            knock = self._pending.pop(number)
            code = knock.connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            knock.connection.close()
            if code == 0:
                knock.answered()


class _Knock(NamedTuple):
    connection: socket.socket
    began: float
    answered: Callable[[], None]
