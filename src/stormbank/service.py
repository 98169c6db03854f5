"""The shell of a bank process: one HTTP port for business, health and metrics, and a decent end.

`/livez` the process runs; `/readyz` it wants traffic; `/servez` business can be done here, down to the database
(for whoever steers traffic between regions); `/metrics` for Prometheus; and one page of the role's own. On SIGTERM
readiness goes first, requests still arriving are served for a while (somebody may not have noticed), then the port
closes and what is in flight is finished.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from stormbank import queueing
from stormbank.metrics import CONTENT_TYPE, ServiceMetrics
from stormbank.operations import Operation, addresses_of
from stormbank.problem import MethodNotAllowed, NotFound, Problem
from stormbank.wait import pause

CALLER_GONE: Final = 499  # as others number it
FINISH_S: Final = 3.0  # for requests in flight once the port is closed
# Services are reached by an address that chooses once per connection. Ending some connections keeps the choice fresh:
# a replaced process gets its share of the load within seconds.
CLOSE_SHARE: Final = 0.02

log = logging.getLogger(__name__)

Answer = Callable[[Operation, web.BaseRequest], Awaitable[web.Response]]


def reply(status: int, fields: dict[str, Any]) -> web.Response:
    """Answer with JSON."""
    return web.Response(status=status, body=json.dumps(fields).encode(), content_type="application/json")


def refusal(problem: Problem) -> web.Response:
    """Answer with a problem."""
    response = reply(problem.status, problem.fields)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response


@dataclass
class Service:
    """One role, called `name`: `answer` serves an operation of the role or raises Problem.

    `ready` says whether traffic is wanted, `serving` whether it would be of any use now. `page` at `page_path` is what
    the role tells of itself to its neighbours and to people; it may raise Problem. `close_share` of the answers end
    their connection; `tells_queue` says whether answers tell how long the request waited (phones need not know).
    """

    name: str
    answer: Answer
    metrics: ServiceMetrics
    ready: Callable[[], bool]
    serving: Callable[[], Awaitable[bool]]
    page_path: str = ""
    page: Callable[[], Awaitable[web.Response]] | None = None
    close_share: float = 0.0
    tells_queue: bool = True
    draining: bool = False
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._operations = addresses_of(self.name)
        self._paths = frozenset(path for _, path in self._operations)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request, whatever it is."""
        operation = self._operations.get((request.method, request.path))
        if operation is None and request.path == "/servez":
            response = await self._serving()
        elif operation is None and self.page and (request.method, request.path) == ("GET", self.page_path):
            response = await self._paged(self.page)
        elif operation is None:
            response = self._housekeeping(request)
        else:
            response = await self._business(operation, request)
        if self.draining or random.random() < self.close_share:
            response.force_close()
        return response

    async def _business(self, operation: Operation, request: web.BaseRequest) -> web.Response:
        started_s = time.perf_counter()
        self.metrics.inflight.inc()
        queueing.begin()
        try:
            response = await self.answer(operation, request)
        except Problem as problem:
            response = refusal(problem)
        except ConnectionError:
            # The caller went away before its request was read; nobody is left to be answered.
            response = web.Response(status=CALLER_GONE)
        except Exception:
            log.exception("%s failed", operation.name)
            response = reply(500, {"error": "internal", "reason": "unexpected"})
        finally:
            self.metrics.inflight.dec()
        self.metrics.answered(operation, response.status, time.perf_counter() - started_s)
        waited = queueing.told() if self.tells_queue else None
        if waited is not None:
            response.headers[queueing.HEADER] = waited
        return response

    async def _serving(self) -> web.Response:
        if self.draining or not await self.serving():
            return web.Response(status=503, text="draining\n" if self.draining else "not serving\n")
        return web.Response(text="ok\n")

    async def _paged(self, page: Callable[[], Awaitable[web.Response]]) -> web.Response:
        try:
            return await page()
        except Problem as problem:
            return refusal(problem)

    def _housekeeping(self, request: web.BaseRequest) -> web.Response:
        match request.path:
            case "/livez":
                return web.Response(text="ok\n")
            case "/readyz" if self.ready() and not self.draining:
                return web.Response(text="ok\n")
            case "/readyz":
                return web.Response(status=503, text="draining\n" if self.draining else "starting\n")
            case "/metrics":
                return web.Response(body=self.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})
            case path if path in self._paths:
                return refusal(MethodNotAllowed(request.method))
            case path:
                return refusal(NotFound(path))

    async def run(self, host: str, port: int, drain_s: float) -> None:
        """Serve until SIGTERM, SIGINT or `end`, then drain; OSError when the port cannot be had."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        server = web.Server(self.handle, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=FINISH_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=512).start()
            # What was loaded so far stays: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            log.info("%s listens on %s:%d", self.name, host, port)
            await self._stop.wait()
            self.draining = True
            log.info("%s draining", self.name)
            await pause(drain_s)
        finally:
            # Closes the port, then waits for requests in flight.
            await runner.cleanup()
        log.info("%s ended", self.name)

    def end(self) -> None:
        """Let `run` drain and return, as on SIGTERM."""
        self._stop.set()
