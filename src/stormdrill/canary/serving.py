"""The side of a canary that answers: greeting and echo over TCP, datagrams taken down."""

from __future__ import annotations

import asyncio
from typing import cast

from stormdrill.canary.board import Board
from stormdrill.canary.wire import datagram_of, greeting

_CONNECTIONS = 512
_IDLE_S = 10.0
_UNREAD_LIMIT = 65536


class Echoes:
    """The TCP connections that others hold to this canary."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._open: set[Echo] = set()

    def protocol(self) -> Echo:
        """For a new connection."""
        return Echo(self)

    def add(self, echo: Echo) -> bool:
        """Count a connection in; False when there are too many."""
        if len(self._open) >= _CONNECTIONS:
            return False
        self._open.add(echo)
        return True

    def remove(self, echo: Echo) -> None:
        """Count it out."""
        self._open.discard(echo)

    def sweep(self) -> None:
        """End the ones that say nothing any more: their owner is gone, or has made another."""
        before = self.board.clock.now() - _IDLE_S
        for echo in [one for one in self._open if one.heard_at < before]:
            echo.end()


class Echo(asyncio.Protocol):
    """One connection: our zone first, then whatever is said, said back."""

    def __init__(self, echoes: Echoes) -> None:
        self._echoes = echoes
        self._transport: asyncio.Transport | None = None
        self.heard_at = echoes.board.clock.now()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._echoes.add(self):
            self._transport.abort()
            return
        self._transport.write(greeting(self._echoes.board.zone))

    def data_received(self, data: bytes) -> None:
        """Say it back, unless the other side never reads."""
        self.heard_at = self._echoes.board.clock.now()
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() > _UNREAD_LIMIT:
            self._transport.abort()
            return
        self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - every end is the same here
        """Forget it."""
        self._echoes.remove(self)

    def end(self) -> None:
        """Reset it."""
        if self._transport is not None:
            self._transport.abort()


class Datagrams(asyncio.DatagramProtocol):
    """Numbered datagrams of other canaries, in; ours, out."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to send."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002 - may be translated
        """Take it down."""
        said = datagram_of(data)
        if said is not None:
            self._board.arrived(said)

    def send(self, data: bytes, address: str, port: int) -> None:
        """Send, hoping: what is lost is what others find missing."""
        if self._transport is not None:
            self._transport.sendto(data, (address, port))
