"""The shell of an external party: its service on one port, and on another the address by which people trouble it.

The second one is for the machine's own or a management network, never for the bank: `GET /admin/trouble` tells what the
party is told to do, `PUT /admin/trouble` with some of the fields changes it at once, also for what is under way.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from stormbank.external.trouble import Failures, Trouble
from stormbank.problem import BadRequest, MethodNotAllowed, NotFound, Problem, Unavailable
from stormbank.service import refusal, reply
from stormbank.settings.external import External
from stormbank.wait import pause

STEP_S = 0.05
"""How long a change of a delay may take to be noticed by what waits it out."""
FINISH_S = 1.0

log = logging.getLogger(__name__)

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]


class Shell:
    """Serves `routes`, by method and path, as the party `name`, as troubled as `trouble` says."""

    def __init__(self, name: str, routes: Mapping[tuple[str, str], Handler], trouble: Trouble) -> None:
        self._name = name
        self._routes = routes
        self._trouble = trouble
        self._failures = Failures()
        self._stop = asyncio.Event()

    async def run(self, settings: External, host: str, port: int) -> None:
        """Serve until SIGTERM or SIGINT; OSError when a port cannot be had."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
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
        """Answer the bank or a phone; health is told whatever trouble there is."""
        if request.path in ("/livez", "/readyz"):
            return web.Response(text="ok\n")
        try:
            handler = self._handler(request)
            await self._wait()
            if self._failures.due(self._trouble.error_share):
                raise Unavailable("trouble")
            return await handler(request)
        except Problem as problem:
            return refusal(problem)

    async def administer(self, request: web.BaseRequest) -> web.Response:
        """Answer whoever troubles the party."""
        try:
            if request.path != "/admin/trouble":
                raise NotFound(request.path)
            if request.method == "PUT":
                try:
                    self._trouble = self._trouble.changed(await request.read())
                except ValueError as error:
                    raise BadRequest(str(error)) from None
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
