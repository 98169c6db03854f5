"""A region whose controllers work and whose kubelets are fakes that run nothing, for what controllers make of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from stormlab.api import kinds
from stormlab.api.record import Event, Record

from .kubelet import FakeKubelet
from .served import Served, serve
from .setups import STUBBORN, Setup

PATIENCE_S = 8.0


@dataclass
class Cluster:
    """A region with a kubelet in each of three zones; events of pods are noted from the start."""

    served: Served
    setup: Setup
    kubelets: list[FakeKubelet]
    events: list[Event]

    def all(self, kind: kinds.Kind) -> list[Record]:
        return list(self.served.objects.store.records(kind, "default"))

    def pods(self) -> list[Record]:
        return self.all(kinds.POD)

    def get(self, kind: kinds.Kind, name: str) -> dict[str, Any]:
        record = self.served.objects.store.get(kind, "default" if kind.namespaced else "", name)
        assert record is not None, name
        return record.tree

    async def send(self, method: str, path: str, body: Any = None, **query: str) -> dict[str, Any]:
        headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else None
        url = self.served.url + path
        async with self.setup.session.request(
            method, url, json=body, params=query, headers=headers
        ) as answer:
            shown: dict[str, Any] = await answer.json()
            assert answer.status < 300, shown
            return shown

    async def delete(self, pod: str, **query: str) -> None:
        await self.send("DELETE", f"/api/v1/namespaces/default/pods/{pod}", **query)

    async def until(self, condition: Callable[[], Any], what: str) -> Any:
        end = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                if value := condition():
                    return value
            except AssertionError:
                pass
            assert asyncio.get_running_loop().time() < end, what
            await asyncio.sleep(0.01)


@asynccontextmanager
async def cluster(node_grace_s: float = 40.0) -> AsyncIterator[Cluster]:
    headers = {"Authorization": "Bearer admin-token"}
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serve(node_grace_s=node_grace_s))
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        kubelets = [
            await stack.enter_async_context(FakeKubelet(served.url, f"node-{zone}", zone, served.kubelets))
            for zone in "abc"
        ]
        events: list[Event] = []
        served.objects.store.listen(kinds.POD, events.append)
        yield Cluster(served, Setup(served, session, "default"), kubelets, events)


def run(work: Callable[[Cluster], Awaitable[None]], node_grace_s: float = 40.0) -> None:
    async def main() -> None:
        async with cluster(node_grace_s) as made:
            await work(made)

    asyncio.run(main())


def is_ready(pod: Record) -> bool:
    listed = pod.tree["status"].get("conditions", ())
    return any(item["type"] == "Ready" and item["status"] == "True" for item in listed)


def stubborn(**spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "k8s.local/app:1", "command": STUBBORN}
    return {"containers": [container], "terminationGracePeriodSeconds": 1, **spec}


def template(app: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "selector": {"matchLabels": {"app": app}},
        "template": {"metadata": {"labels": {"app": app}}, "spec": spec},
    }


def endpoints_of(made: Cluster) -> dict[str, tuple[bool, bool, bool]]:
    found = [
        item
        for item in made.all(kinds.ENDPOINT_SLICE)
        if item.labels.get("kubernetes.io/service-name") == "web"
    ]
    return {
        item["targetRef"]["name"]: tuple(
            item["conditions"][name] for name in ("ready", "serving", "terminating")
        )  # type: ignore[misc]
        for record in found
        for item in record.tree["endpoints"] or ()
    }
