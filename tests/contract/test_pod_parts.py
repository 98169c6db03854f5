"""pods/log and pods/exec: passed to the kubelet's socket; what cannot be done says so (topic 13)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from .cited import EXEC, LOGS, cites
from .kubelet import FakeKubelet
from .served import Served, serve
from .setups import Setup

pytestmark = [pytest.mark.own_server("its pods answer what they are told to"), cites(LOGS, EXEC)]

EXEC = "/api/v1/namespaces/default/pods/one/exec"


def with_pod(work: Callable[[Served, aiohttp.ClientSession], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        headers = {"Authorization": "Bearer admin-token"}
        async with (
            serve() as served,
            FakeKubelet(served.url, "node-a", "a", served.kubelets),
            aiohttp.ClientSession(headers=headers) as session,
        ):
            setup = Setup(served, session, "default")
            await setup.pod("one")
            await setup.running(1)
            return await asyncio.wait_for(work(served, session), 5)

    return asyncio.run(run())


def test_follow_sends_lines_as_they_come() -> None:
    async def work(served: Served, session: aiohttp.ClientSession) -> list[bytes]:
        url = f"{served.url}/api/v1/namespaces/default/pods/one/log"
        async with session.get(url, params={"follow": "true", "tailLines": "1"}) as answer:
            assert answer.headers["content-type"] == "text/plain"
            return [await answer.content.readline() for _ in range(3)]

    assert with_pod(work) == [b"started\n", b"tick\n", b"tick\n"]


def test_exec_speaks_v4_with_stdin() -> None:
    async def work(served: Served, session: aiohttp.ClientSession) -> list[bytes]:
        query = [("command", "cat"), ("command", "-"), ("stdin", "true"), ("stdout", "true")]
        async with session.ws_connect(
            served.url + EXEC, params=query, protocols=["v4.channel.k8s.io"]
        ) as socket:
            assert socket.protocol == "v4.channel.k8s.io"
            got = [await socket.receive_bytes()]
            await socket.send_bytes(b"\x00hello")
            return [*got, await socket.receive_bytes(), await socket.receive_bytes()]

    command, echo, status = with_pod(work)
    assert (command, echo) == (b"\x01cat -", b"\x01hello")
    assert status[:1] == b"\x03"
    assert json.loads(status[1:])["status"] == "Success"


def test_spdy_is_refused_with_a_status() -> None:
    async def work(served: Served, session: aiohttp.ClientSession) -> tuple[int, dict[str, Any]]:
        headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
        async with session.post(served.url + EXEC, params={"command": "ls"}, headers=headers) as answer:
            return answer.status, await answer.json()

    status, body = with_pod(work)
    assert (status, body["kind"], body["reason"]) == (400, "Status", "BadRequest")
    assert "WebSocket" in body["message"]


def test_a_node_whose_kubelet_is_gone_is_an_error_not_silence() -> None:
    async def work(served: Served, session: aiohttp.ClientSession) -> tuple[int, str]:
        (served.kubelets / "node-a.sock").unlink()
        async with session.get(f"{served.url}/api/v1/namespaces/default/pods/one/log") as answer:
            return answer.status, (await answer.json())["message"]

    status, message = with_pod(work)
    assert status == 500
    assert "node-a" in message
