"""Sockets that notice a peer which vanished without a word, as a lost site does.

What was sent and is not acknowledged by the other kernel within a second ends the connection, and so does, within two,
silence on one that is idle. A kernel acknowledges however busy its programs are.
"""

from __future__ import annotations

import socket
from typing import Final, Protocol

UNACKNOWLEDGED_MS: Final = 1000


class Adjustable(Protocol):
    """A socket as far as its options go."""

    def setsockopt(self, level: int, name: int, value: int, /) -> None:
        """As of `socket.socket`."""


def watch(opened: Adjustable) -> None:
    """Let a TCP socket notice. Raises OSError."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
