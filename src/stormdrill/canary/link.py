"""One other canary: a held connection, new connections and datagrams to its address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from stormdrill.canary.board import SILENT_S, Board, Path
from stormdrill.canary.knock import PATIENCE_S, Knocks
from stormdrill.canary.wire import GREETING_LIMIT, greeted_zone

_PAIR = (Path.HELD, Path.NEW, Path.UDP)
_SAY = b"canary\n"


class Held(asyncio.Protocol):
    """The connection that stays: a greeting comes first, then echoes."""

    def __init__(self, zone: asyncio.Future[str], echoed: Callable[[Held], None]) -> None:
        self._zone = zone
        self._echoed = echoed
        self._line: bytes | None = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait to be greeted."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take the greeting, later echoes."""
        if self._line is None:
            self._echoed(self)
            return
        self._line += data
        end = self._line.find(b"\n") + 1
        zone = greeted_zone(self._line[:end]) if end else None
        if zone is not None and not self._zone.done():
            self._line = None
            self._zone.set_result(zone)
        elif end or len(self._line) > GREETING_LIMIT:
            self.end()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - every end is the same here
        """Nothing can be said any more."""
        self._transport = None
        if not self._zone.done():
            self._zone.set_exception(ConnectionResetError("no greeting"))

    @property
    def open(self) -> bool:
        """Whether it still stands, as far as this side knows."""
        return self._transport is not None and not self._transport.is_closing()

    def say(self) -> None:
        """Ask for an echo, unless earlier questions still wait to be sent."""
        if self._transport is not None and self._transport.get_write_buffer_size() == 0:
            self._transport.write(_SAY)

    def end(self) -> None:
        """Reset it: what it still has to send must not arrive later."""
        if self._transport is not None:
            self._transport.abort()


class Link:
    """What this canary does with one address. Its zone is what it says of itself when it greets."""

    def __init__(self, board: Board, knocks: Knocks, address: str, port: int) -> None:
        self.address = address
        self.zone: str | None = None
        self._board = board
        self._knocks = knocks
        self._port = port
        self._held: Held | None = None
        self._echoed_at = float("-inf")
        self._connecting: asyncio.Task[None] | None = None

    @property
    def ours(self) -> bool:
        """Whether it is in our own zone, this canary itself included: nothing between us is watched."""
        return self.zone == self._board.zone

    def tick(self) -> None:
        """Knock, and ask the held connection for an echo."""
        if self._held is not None and self._held.open:
            self._held.say()
        self._knocks.start(self.address, self._port, self._answered)

    def close(self) -> None:
        """End what is open."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._held is not None:
            self._held.end()
            self._held = None

    def _answered(self) -> None:
        if self.zone is not None:
            self._board.worked(self.zone, Path.NEW)
        if self._connecting is None and not self._holds():
            self._connecting = asyncio.get_running_loop().create_task(self._hold())

    def _holds(self) -> bool:
        """Whether the held connection works; if not, new ones do, and another is made in its place.

        An old one would wait out TCP's back-off, for as long again as the cut was.
        """
        silence_s = self._board.clock.now() - self._echoed_at
        return self._held is not None and self._held.open and silence_s < SILENT_S

    async def _hold(self) -> None:
        loop = asyncio.get_running_loop()
        zone: asyncio.Future[str] = loop.create_future()
        made = Held(zone, self._echoed)
        try:
            async with asyncio.timeout(2 * PATIENCE_S):
                await loop.create_connection(lambda: made, self.address, self._port)
                self._keep(made, await zone)
        except (OSError, TimeoutError):
            made.end()
        except asyncio.CancelledError:
            made.end()
            raise
        finally:
            self._connecting = None

    def _keep(self, made: Held, zone: str) -> None:
        if self._held is not None:
            self._held.end()
        self.zone, self._held, self._echoed_at = zone, made, self._board.clock.now()
        if self.ours:
            made.end()
            return
        self._board.know(zone, *_PAIR)
        self._board.held += 1

    def _echoed(self, held: Held) -> None:
        if held is self._held and self.zone is not None:
            self._echoed_at = self._board.clock.now()
            self._board.worked(self.zone, Path.HELD)
