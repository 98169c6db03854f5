"""The shell of an external party: its service on one port, and on another the address by which people trouble it.

The second one is for the machine's own or a management network, never for the bank: `GET /admin/trouble` tells what the
party is told to do, `PUT /admin/trouble` with some of the fields changes it at once, also for what is under way.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from stormbank.external.trouble import Failures, Trouble
from stormbank.http_server import refusal
from stormbank.metrics import CONTENT_TYPE, FirmMetrics
from stormbank.problem import BadRequest, MethodNotAllowed, NotFound, Problem, Unavailable
from stormbank.service import reply
from stormbank.settings.external import External
from stormbank.wait import pause
from stormbank.wrong import Wrong

STEP_S = 0.05
"""How long a change of a delay may take to be noticed by what waits it out."""
FINISH_S = 1.0
SILENCE_S = 60.0
"""Longer than anybody waits for an answer."""

log = logging.getLogger(__name__)

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]


class Shell:
    """Serves `routes`, by method and path, as the party `name`, as troubled as `trouble` says."""

    def __init__(self, name: str, routes: Mapping[tuple[str, str], Handler], trouble: Trouble) -> None:
        self._name = name
        self._routes = routes
        self._trouble = trouble
        self._failures, self._silences, self._cuts = Failures(), Failures(), Failures()
        self._metrics = FirmMetrics(name)
        self._stop = asyncio.Event()

    async def run(self, settings: External, host: str, port: int) -> None:
        """Serve until SIGTERM or SIGINT; OSError when a port cannot be had."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        places = [(self.handle, host, port)]
        if settings.admin is not None:
            places.append((self.administer, *settings.admin))
        runners = []
        try:
            for handler, at, on in places:
                runners.append(
                    web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=FINISH_S)
                )
                await runners[-1].setup()
                await web.TCPSite(runners[-1], at, on, backlog=512).start()
            log.info("%s listens on %s:%d, administered on %s", self._name, host, port, settings.admin)
            await self._stop.wait()
        finally:
            for each in runners:
                await each.cleanup()

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer the bank or a phone; health and metrics are told whatever trouble there is."""
        if request.path in ("/livez", "/readyz"):
            return web.Response(text="ok\n")
        if request.path == "/metrics":
            return web.Response(body=self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})
        try:
            handler = self._handler(request)
            if self._cuts.due(self._trouble.dead_share):
                self._metrics.cut()
                return _cut_off(request)
            # Whoever asks may have gone by the time this is looked at; what was sent has come all the same.
            await request.read()
            await self._wait()
            if self._failures.due(self._trouble.error_share):
                raise Unavailable("trouble")
            response = await handler(request)
        except Problem as problem:
            response = refusal(problem)
        if self._silences.due(self._trouble.silent_share):
            self._metrics.cut()
            await _gone(request)
            return _cut_off(request)
        self._metrics.answered(response.status)
        return response

    def refuses(self, key: str) -> bool:
        """Whether what has this key is to be refused: the same answer for the same key, as long as the share is."""
        drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32
        return drawn < self._trouble.refuse_share

    def end(self) -> None:
        """Let `run` return, as on SIGTERM."""
        self._stop.set()

    async def administer(self, request: web.BaseRequest) -> web.Response:
        """Answer whoever troubles the party."""
        try:
            if request.path != "/admin/trouble":
                raise NotFound(request.path)
            if request.method == "PUT":
                try:
                    self._trouble = self._trouble.changed(await request.read())
                except ValueError as error:
                    raise BadRequest(Wrong.VALUE, str(error)) from None
                log.warning("%s is told to be in trouble: %s", self._name, self._trouble)
            elif request.method != "GET":
                raise MethodNotAllowed(request.method)
        except Problem as problem:
            return refusal(problem)
        return reply(200, self._trouble.fields())

    def _handler(self, request: web.BaseRequest) -> Handler:
        found = self._routes.get((request.method, request.path))
        if found is not None:
            return found
        if any(path == request.path for _, path in self._routes):
            raise MethodNotAllowed(request.method)
        raise NotFound(request.path)

    async def _wait(self) -> None:
        """Wait out the delay, as it is now and not as it was when the request came."""
        clock = asyncio.get_running_loop().time
        began_s = clock()
        while (left_s := began_s + self._trouble.delay_ms / 1000 - clock()) > 0:
            await pause(min(STEP_S, left_s))


async def _gone(request: web.BaseRequest) -> None:
    """Wait until whoever asks has given up."""
    clock = asyncio.get_running_loop().time
    until_s = clock() + SILENCE_S
    while clock() < until_s and request.transport is not None and not request.transport.is_closing():
        await pause(STEP_S)


def _cut_off(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)
