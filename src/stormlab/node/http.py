"""The node's own HTTP interface, on a Unix socket: container logs and exec for the API server, `settled` for `up`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from aiohttp import web

from stormlab.node import execstream, logs
from stormlab.node.context import NodeContext
from stormlab.node.kubelet import Kubelet
from stormlab.node.run import ContainerRun
from stormlab.node.worker import PodWorker


class NodeHttp:
    """Serves state/nodes/<zone>.sock."""

    def __init__(self, node: NodeContext, kubelet: Kubelet, clock: logs.LogClock) -> None:
        self._node = node
        self._kubelet = kubelet
        self._clock = clock

    async def run(self) -> None:
        """Serve for ever."""
        app = web.Application()
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/settled", self._settled)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        for method in ("GET", "POST"):
            app.router.add_route(method, "/exec/{namespace}/{pod}/{container}", self._exec)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await runner.setup()
        directory = self._node.state / "nodes"
        directory.mkdir(mode=0o700, exist_ok=True)
        # Bound beside and renamed: there is never a moment without an answer for a client that connects.
        place = directory / f"{self._node.zone.name}.sock"
        fresh = directory / f".{self._node.zone.name}.{os.getpid()}"
        try:
            await web.UnixSite(runner, str(fresh)).start()
            fresh.replace(place)
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _settled(self, _: web.Request) -> web.Response:
        pods = self._kubelet.unsettled()
        return web.Response(text="\n".join(pods), status=503 if pods else 200)

    def _find(self, request: web.Request) -> tuple[PodWorker, ContainerRun]:
        found = request.match_info
        worker = self._kubelet.worker(found["namespace"], found["pod"])
        if worker is None or worker.runs is None:
            raise web.HTTPNotFound(text=f"pod {found['namespace']}/{found['pod']} is not on this node")
        name = found["container"]
        run = worker.runs.find(name)
        if run is None:
            raise web.HTTPNotFound(text=f"container {name} is not in pod {found['pod']}")
        return worker, run

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        worker, run = self._find(request)
        query, name = request.query, run.container.name
        previous = query.get("previous") == "true"
        path = self._node.pod_directory(worker.uid) / f"{name}{'.previous' if previous else ''}.log"
        if not path.exists():
            what = f"previous terminated container {name}" if previous else f"container {name}"
            why = "not found" if previous else "is waiting to start"
            raise web.HTTPBadRequest(text=f"{what} in pod {request.match_info['pod']} {why}")
        follow = query.get("follow") == "true" and not previous
        start = self._start(path, query)
        limit = _number(query, "limitBytes")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        blocks = logs.read(path, start, follow=follow)
        if query.get("timestamps") not in {None, "", "false"}:
            blocks = logs.stamped(blocks, start, partial(self._clock.written_at, path))
        async for block in logs.bounded(blocks, limit):
            await response.write(block)
        await response.write_eof()
        return response

    def _start(self, path: Path, query: Mapping[str, str]) -> int:
        lines, since_s = _number(query, "tailLines"), _number(query, "sinceSeconds")
        start = 0 if lines is None else logs.tail_offset(path, lines)
        if since_s is not None:
            start = max(start, self._clock.offset_at(path, time.time() - since_s))
        if moment := query.get("sinceTime"):
            start = max(start, self._clock.offset_at(path, _moment(moment)))
        return start

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        worker, run = self._find(request)
        if not request.query.getall("command", []):
            raise web.HTTPBadRequest(text="you must specify at least 1 command for the container")
        home = worker.home()
        state = run.state(home.shim) if home else None
        if home is None or state is None or state["finished_at"] is not None:
            raise web.HTTPBadRequest(text=f"container {run.container.name} is not running")
        return await execstream.serve(request, home, run)


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise web.HTTPBadRequest(text="sinceTime must be a time such as 2030-01-31T12:00:00Z") from error


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text in {None, ""}:
        return None
    if not str(text).isdecimal():
        raise web.HTTPBadRequest(text=f"{name} must be a number")
    return int(str(text))
