"""The shell of an external party: its own addresses, health, metrics, and the one where its conduct is changed.

`GET /conduct` tells how the party behaves, `PUT /conduct` changes values by their names. That, health and metrics
answer also while the party is slow or dead to everybody else.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from aiohttp import web

from stormbank.external.conduct import Answer, Behaviour
from stormbank.metrics import CONTENT_TYPE, ExternalMetrics
from stormbank.problem import BadRequest, MethodNotAllowed, NotFound, Problem
from stormbank.service import refusal, reply

FINISH_S: Final = 1.0  # for answers on their way when the party is told to end
LARGEST_BODY: Final = 4096 * 16  # a picture of a face is the largest thing that is sent

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Address:
    """One thing that a party does: `action` is its name for metrics, `path` as aiohttp's router reads it."""

    action: str
    method: str
    path: str
    answer: Answer


class Shell:
    """Serves the addresses of the party `name`, as `behaviour` lets it."""

    def __init__(
        self, name: str, addresses: Sequence[Address], behaviour: Behaviour, metrics: ExternalMetrics
    ) -> None:
        self._name = name
        self._behaviour = behaviour
        self._metrics = metrics
        self._stop = asyncio.Event()
        self._app = web.Application(client_max_size=LARGEST_BODY, middlewares=[self._errors])
        for each in addresses:
            self._app.router.add_route(each.method, each.path, self._business(each))
        self._app.router.add_get("/conduct", self._tell)
        self._app.router.add_put("/conduct", self._change)
        self._app.router.add_get("/metrics", self._exposition)
        for path in ("/livez", "/readyz"):
            self._app.router.add_get(path, _ok)

    def end(self) -> None:
        """Let `run` return, as on SIGTERM."""
        self._stop.set()

    async def run(self, host: str, port: int) -> None:
        """Serve until SIGTERM, SIGINT or `end`; OSError when the port cannot be had."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=FINISH_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=512).start()
            log.info("%s listens on %s:%d", self._name, host, port)
            await self._stop.wait()
        finally:
            await runner.cleanup()
        log.info("%s ended", self._name)

    def _business(self, address: Address) -> Answer:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                response = await self._behaviour.through(request, address.answer)
            except Problem as problem:
                response = refusal(problem)
            self._metrics.answered(address.action, response.status)
            return response

        return answer

    @web.middleware
    async def _errors(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        try:
            return await handler(request)
        except Problem as problem:
            return refusal(problem)
        except web.HTTPMethodNotAllowed:
            return refusal(MethodNotAllowed(request.method))
        except web.HTTPNotFound:
            return refusal(NotFound(request.path))
        except ConnectionError:
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return reply(500, {"error": "internal", "reason": "unexpected"})

    async def _tell(self, _: web.Request) -> web.Response:
        return reply(200, asdict(self._behaviour.now))

    async def _change(self, request: web.Request) -> web.Response:
        try:
            values = json.loads(await request.read())
        except (ValueError, web.HTTPRequestEntityTooLarge):
            raise BadRequest("body is not JSON") from None
        if not isinstance(values, dict):
            raise BadRequest("body is not an object")
        self._behaviour.change(values)
        log.info("%s behaves: %s", self._name, self._behaviour.now)
        return await self._tell(request)

    async def _exposition(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})


async def _ok(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")
