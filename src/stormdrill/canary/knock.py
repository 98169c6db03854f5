"""New TCP connections, as far as their handshake: enough to know that packets go both ways.

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
_KIND = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Knocks:
    """The handshakes under way. To be made in a running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pending: dict[socket.socket, float] = {}
        """By age, with when they began; one timer each would cost more than all the rest."""

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
        self._pending[connection] = self._loop.time()
        # By number: asyncio would write out the socket, with both its addresses, to find that it is new.
        self._loop.add_writer(connection.fileno(), self._end, connection, answered)

    def sweep(self) -> None:
        """Give up what is not answered; to be called every so often."""
        before = self._loop.time() - PATIENCE_S
        while self._pending:
            oldest, began = next(iter(self._pending.items()))
            if began > before:
                break
            self._forget(oldest)
            oldest.close()

    def _end(self, connection: socket.socket, answered: Callable[[], None]) -> None:
        self._forget(connection)
        code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        connection.close()
        if code == 0:
            answered()

    def _forget(self, connection: socket.socket) -> None:
        self._loop.remove_writer(connection.fileno())
        del self._pending[connection]
