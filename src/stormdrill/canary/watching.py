"""A canary: answers others, tries them five times a second, and services half as often."""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass

from stormdrill.canary.board import TICK_S, Awake, Board
from stormdrill.canary.knock import Knocks
from stormdrill.canary.lookup import Names
from stormdrill.canary.metrics import Page, exposition
from stormdrill.canary.neighbours import Neighbours
from stormdrill.canary.services import Service, Target
from stormdrill.canary.serving import Datagrams, Echoes
from stormdrill.canary.wire import METRICS_PORT, PORT

_SERVICE_TICKS = 2
"""Services are tried every so many ticks: often enough to be up, and half the work."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Where a canary is, whom it watches and where it answers."""

    zone: str
    peers: tuple[Names, ...]
    targets: tuple[Target, ...] = ()
    listen: str = "0.0.0.0"
    port: int = PORT
    metrics_port: int = METRICS_PORT


async def watch(settings: Settings) -> None:
    """Serve and watch until SIGTERM or SIGINT. Raises OSError when a port is taken."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    board = Board(settings.zone, Awake())
    echoes = Echoes(board)
    place = (settings.listen, settings.port)
    transport, datagrams = await loop.create_datagram_endpoint(lambda: Datagrams(board), local_addr=place)
    server = await loop.create_server(echoes.protocol, *place)
    page = await loop.create_server(
        lambda: Page(lambda: exposition(board)), settings.listen, settings.metrics_port
    )
    knocks = Knocks()
    neighbours = Neighbours(board, knocks, datagrams, settings.peers, settings.port)
    services = [Service(board, knocks, target) for target in settings.targets]
    log.info("canary of %s answers on %s:%d, metrics on %d", settings.zone, *place, settings.metrics_port)

    turns = itertools.cycle(range(_SERVICE_TICKS))

    def tick() -> None:
        board.clock.tick()
        knocks.sweep()
        echoes.sweep()
        neighbours.tick()
        for service in services[next(turns) :: _SERVICE_TICKS]:
            service.tick()

    beat = _Beat(tick)
    try:
        await ended.wait()
    finally:
        beat.stop()
        transport.close()
        server.close()
        page.close()


class _Beat:
    """Calls `act` every TICK_S seconds; beats that were missed are left out."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time()
        self._handle = self._loop.call_soon(self._beat)

    def stop(self) -> None:
        """No more."""
        self._handle.cancel()

    def _beat(self) -> None:
        try:
            self._act()
        finally:
            self._due = max(self._due + TICK_S, self._loop.time())
            self._handle = self._loop.call_at(self._due, self._beat)
