"""A node outlives what goes wrong in one of its parts, with one object, and an API that refuses it."""

import asyncio
import contextlib
import json

import pytest
from aiohttp import web

from stormlab import pki
from stormlab.client import SYNCED, Client
from stormlab.node import following, upkeep


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(upkeep, "_AGAIN_S", 0.01)
    monkeypatch.setattr(following, "_AGAIN_S", 0.01)


async def runs_until(work, condition):
    task = asyncio.create_task(work)
    async with asyncio.timeout(10):
        while not condition():
            assert not task.done(), task
            await asyncio.sleep(0.005)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_a_part_that_fails_or_ends_is_begun_again_and_told_of(caplog):
    ends = iter([OSError("no room"), None, KeyError("odd")])
    begun = []

    async def part():
        begun.append(1)
        failure = next(ends, "runs")
        if failure == "runs":
            await asyncio.Event().wait()
        if failure is not None:
            raise failure

    asyncio.run(runs_until(upkeep.kept("rules", part), lambda: len(begun) == 4))
    said = caplog.text
    assert said.count("rules has failed: it is begun again") == 2
    assert "rules has ended: it is begun again" in said
    assert "no room" in said


def pod(name):
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "1"}}


class Api:
    """Lists what it is told to list, one list after the other; its watches say one thing and end."""

    def __init__(self, lists, watches):
        self._lists, self._watches = lists, watches
        self.asked = 0

    async def answer(self, request):
        if "watch" in request.query:
            events = self._watches.pop(0) if self._watches else None
            if events is None:
                await asyncio.Event().wait()
            return web.Response(text="".join(json.dumps(event) + "\n" for event in events))
        self.asked += 1
        found = self._lists.pop(0) if len(self._lists) > 1 else self._lists[0]
        if isinstance(found, int):
            return web.json_response({"code": found, "message": "no"}, status=found)
        return web.json_response({"kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": found})


async def followed(api, heard, until, state):
    application = web.Application()
    application.router.add_get("/api/v1/pods", api.answer)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = "http://{}:{}".format(*runner.addresses[0])
    pki.ensure(state, ["one"])
    async with Client(url, state / "pki" / "ca.crt", "token") as client:
        await runs_until(following.follow(client, "/api/v1/pods", heard), until)
    await runner.cleanup()


def test_what_went_while_the_api_refused_is_told_as_deleted(tmp_path, caplog):
    api = Api([[pod("a"), pod("b")], 403, 401, [pod("b"), pod("c")]], [[]])
    told = []

    async def heard(kind, item):
        told.append((kind, item.get("metadata", {}).get("name")))

    asyncio.run(followed(api, heard, lambda: told.count((SYNCED, None)) == 2, tmp_path))
    assert told == [
        ("ADDED", "a"), ("ADDED", "b"), (SYNCED, None),
        ("ADDED", "b"), ("ADDED", "c"), ("DELETED", "a"), (SYNCED, None),
    ]  # fmt: skip
    assert "the API refuses this node: no" in caplog.text


def test_an_object_that_cannot_be_dealt_with_is_passed_over(tmp_path, caplog):
    api = Api([[pod("a"), pod("b")]], [[{"type": "MODIFIED", "object": pod("a")}]])
    told = []

    async def heard(kind, item):
        told.append(kind)
        if item.get("metadata", {}).get("name") == "a":
            raise KeyError("spec")

    asyncio.run(followed(api, heard, lambda: told.count("MODIFIED") == 1, tmp_path))
    assert told[:4] == ["ADDED", "ADDED", SYNCED, "MODIFIED"]
    assert caplog.text.count("/api/v1/pods: ADDED a is passed over") == 1
    assert "KeyError: 'spec'" in caplog.text
