"""pods/log and pods/exec: checked here, then passed to the node's kubelet over its unix socket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
from aiohttp import web

from stormlab.api.jsontree import Tree, at
from stormlab.api.record import Record
from stormlab.api.status import ApiError, bad_request, forbidden_field, internal, invalid, invalid_value
from stormlab.api.web import query
from stormlab.api.web.call import Call

EXEC_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_LOG_QUERY = ("tailLines", "follow", "sinceSeconds", "sinceTime", "timestamps", "limitBytes", "previous")
_EXEC_QUERY = ("stdin", "stdout", "stderr", "tty")
_CHUNK_BYTES = 64 * 1024


class Kubelets:
    """Reaches the kubelets by their sockets, `<directory>/<node>.sock`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def session(self, node: str) -> aiohttp.ClientSession:
        """Open a session to a node's kubelet; ApiError 500 when the node has no socket."""
        path = self._directory / f"{node}.sock"
        if "/" in node or not path.exists():
            raise internal(f'Get "https://{node}:10250": node {node} is not reachable')
        connector = aiohttp.UnixConnector(path=str(path))
        return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))

    async def log(self, call: Call) -> web.StreamResponse:
        """Answer a container's log; 204 while the pod has no node."""
        record = call.objects.require(call.kind, call.namespace, call.target.name)
        _check_log_options(call)
        container = _container(record, call.query.get("container", ""))
        if not record.tree["spec"].get("nodeName"):
            return web.Response(status=204)
        _check_started(record, container, previous=query.truth(call.query.get("previous")))
        wanted = {name: call.query[name] for name in _LOG_QUERY if name in call.query}
        node = record.tree["spec"]["nodeName"]
        url = f"http://kubelet/containerLogs/{call.namespace}/{record.name}/{container}"
        async with self.session(node) as session:
            try:
                async with session.get(url, params=wanted) as answer:
                    return await _pass_on(call, answer)
            except aiohttp.ClientError as error:
                raise internal(f'Get "https://{node}:10250/containerLogs": {error}') from None

    async def exec(self, call: Call) -> web.StreamResponse:
        """Connect a WebSocket to a command in a container; SPDY is answered with a Status."""
        record = call.objects.require(call.kind, call.namespace, call.target.name)
        if not call.query.get("command"):
            raise bad_request("you must specify at least one command for the container")
        container = _container(record, call.query.get("container", ""))
        node = record.tree["spec"].get("nodeName")
        if not node:
            raise bad_request(f"pod {record.name} does not have a host assigned")
        if call.request.headers.get("Upgrade", "").lower() != "websocket":
            raise bad_request(
                "Upgrade request required: exec is served over WebSocket only (v4.channel.k8s.io or "
                "v5.channel.k8s.io); SPDY is not built, use a client that speaks WebSocket"
            )
        wanted = [("command", part) for part in call.request.query.getall("command")]
        wanted += [(name, call.query[name]) for name in _EXEC_QUERY if name in call.query]
        url = f"http://kubelet/exec/{call.namespace}/{record.name}/{container}"
        offered = [name.strip() for name in call.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        protocols = [name for name in EXEC_PROTOCOLS if name in offered]
        if not protocols:
            raise bad_request(f"no common subprotocol: {', '.join(EXEC_PROTOCOLS)} are served")
        async with self.session(node) as session:
            try:
                async with session.ws_connect(
                    url, params=wanted, protocols=protocols, max_msg_size=0
                ) as inner:
                    return await _bridge(call.request, inner)
            except aiohttp.WSServerHandshakeError as error:
                raise ApiError(error.status, "", f"exec on {node} was refused: {error.message}") from None
            except aiohttp.ClientError as error:
                raise internal(f"exec on {node}: {error}") from None


def _check_log_options(call: Call) -> None:
    causes = []
    for name in ("tailLines", "sinceSeconds", "limitBytes"):
        text = call.query.get(name, "")
        if not text:
            continue
        if not text.lstrip("-").isdigit():
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        least = 0 if name == "tailLines" else 1
        if int(text) < least:
            rule = "must be greater than or equal to 0" if least == 0 else "must be greater than 0"
            causes.append(invalid_value(name, int(text), rule))
    if "sinceSeconds" in call.query and "sinceTime" in call.query:
        causes.append(forbidden_field("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    if causes:
        raise invalid("", "PodLogOptions", call.target.name, causes)


def _container(record: Record, wanted: str) -> str:
    spec = record.tree["spec"]
    names = [item["name"] for item in spec.get("containers", ())]
    every = names + [item["name"] for item in spec.get("initContainers", ())]
    if not wanted and len(names) > 1:
        choice = " ".join(names)
        raise bad_request(
            f"a container name must be specified for pod {record.name}, choose one of: [{choice}]"
        )
    if wanted and wanted not in every:
        raise bad_request(f"container {wanted} is not valid for pod {record.name}")
    return wanted or str(names[0])


def _check_started(record: Record, container: str, *, previous: bool) -> None:
    statuses: list[Tree] = at(record.tree, "status", "containerStatuses", default=[])
    found = next((item for item in statuses if item.get("name") == container), {})
    if previous and not at(found, "lastState", "terminated"):
        raise bad_request(f'previous terminated container "{container}" in pod "{record.name}" not found')
    reason = at(found, "state", "waiting", "reason")
    if reason and not previous and not at(found, "lastState", "terminated"):
        raise bad_request(f'container "{container}" in pod "{record.name}" is waiting to start: {reason}')


async def _pass_on(call: Call, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    if answer.status != 200:
        text = (await answer.text()).strip()
        raise ApiError(
            answer.status, "BadRequest" if answer.status == 400 else "", text or answer.reason or ""
        )
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(call.request)
    async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
        await response.write(chunk)
    await response.write_eof()
    return response


async def _bridge(request: web.Request, inner: aiohttp.ClientWebSocketResponse) -> web.StreamResponse:
    """Carry messages both ways until either side ends."""
    outer = web.WebSocketResponse(protocols=[inner.protocol] if inner.protocol else [], max_msg_size=0)
    await outer.prepare(request)

    async def inward() -> None:
        async for message in outer:
            if message.type is aiohttp.WSMsgType.BINARY:
                await inner.send_bytes(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                await inner.send_str(message.data)

    async def outward() -> None:
        async for message in inner:
            if message.type is aiohttp.WSMsgType.BINARY:
                await outer.send_bytes(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                await outer.send_str(message.data)

    tasks = [asyncio.ensure_future(inward()), asyncio.ensure_future(outward())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await inner.close()
        await outer.close()
    return outer
