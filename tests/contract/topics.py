"""What a recorded topic found in place, and what happened in it outside the recorded calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from .kubelet import STOP_S, FakeKubelet
from .listed import IGNORED, STATES
from .replay import Hook, Replay
from .served import Served
from .setups import COMMAND, STUBBORN, Setup

ZONES = "abc"
_REVISION = "deployment.kubernetes.io/revision"
# Topics whose pods ran on nodes.
WITH_NODES = {"03", "04", "05", "06", "09", "10", "11", "12", "13", "14", "15", "19", "20"}


@asynccontextmanager
async def prepared(served: Served, replay: Replay) -> AsyncIterator[None]:
    """Bring the topic's world about, and its hooks into the replay."""
    replay.list_versions = replay.topic in {"03", "17"}
    replay.ignore = IGNORED.get(replay.topic, frozenset())
    replay.states = STATES.get(replay.topic, frozenset())
    async with AsyncExitStack() as stack:
        kubelets = [
            await stack.enter_async_context(FakeKubelet(served.url, f"node-{zone}", zone, served.kubelets))
            for zone in (ZONES if replay.topic in WITH_NODES else "")
        ]
        headers = {"Authorization": "Bearer admin-token"}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        namespace = f"t{replay.topic}"
        setup = Setup(served, session, namespace, kubelets)
        if replay.topic != "02":
            async with session.post(
                f"{served.url}/api/v1/namespaces", json={"metadata": {"name": namespace}}
            ) as made:
                assert made.status == 201
        if (prepare := PREPARE.get(replay.topic)) is not None:
            await prepare(setup, replay)
        yield


async def _t02(setup: Setup, replay: Replay) -> None:
    # The recorded namespace takes 5 s to empty; a finalizer holds ours open as long as it is looked at.
    path = f"{setup.served.url}/api/v1/namespaces/t02/configmaps/hold"

    async def hold() -> None:
        await setup.make("configmaps", "hold", metadata={"finalizers": ["test.io/hold"]})

    async def release() -> None:
        kind = {"Content-Type": "application/merge-patch+json"}
        async with setup.session.patch(
            path, data=b'{"metadata":{"finalizers":null}}', headers=kind
        ) as answer:
            assert answer.status == 200

    replay.before |= {31: hold, 34: release}


async def _t03(setup: Setup, replay: Replay) -> None:
    for index in range(5):
        labels = {"idx": str(index), "tier": "a" if index < 2 else "b", **({"x": ""} if index == 4 else {})}
        await setup.make("secrets", f"c{index}", metadata={"labels": labels}, data={"k": "dg=="})
    for name, zone in (("p-a", "a"), ("p-b", "b"), ("p-none", "nowhere")):
        await setup.pod(name, nodeSelector={"topology.kubernetes.io/zone": zone})
    await setup.running(2)

    async def late() -> None:
        await setup.make("secrets", "c9-late", data={"k": "dg=="})

    async def compact() -> None:
        setup.served.objects.store.compact()
        await setup.make("secrets", "after")
        setup.served.objects.store.compact()

    replay.before |= {37: late, 53: compact}


async def _t04(setup: Setup, replay: Replay) -> None:
    async def label() -> None:
        kind = {"Content-Type": "application/merge-patch+json"}
        url = f"{setup.served.url}/api/v1/namespaces/t04/pods/stuck"
        async with setup.session.patch(
            url, data=b'{"metadata":{"labels":{"n":"1"}}}', headers=kind
        ) as answer:
            assert answer.status == 200

    replay.before[16] = label
    replay.beside = frozenset({16})
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    await setup.make("services", "web", spec={"selector": {"app": "web"}, "ports": ports})
    await setup.workload("deployments", "web", 2)
    await setup.pod("stuck", nodeSelector={"topology.kubernetes.io/zone": "nowhere"})
    await setup.running(2)


def _still(setup: Setup, replay: Replay, first: int, last: int) -> None:
    """Hold the controllers still from one call to another; then wait until they have caught up."""

    async def release() -> None:
        await setup.served.loop.start()
        await setup.settled()

    replay.before |= {first: setup.served.loop.stop, last: release}


def _learn(setup: Setup, replay: Replay, path: str, recorded: str) -> Hook:
    """Return a hook that notes which version a recorded one, seen outside the recording, stands for."""

    async def hook() -> None:
        body = await setup.get(path)
        replay.known[recorded] = body["metadata"]["resourceVersion"]

    return hook


async def _t05(setup: Setup, replay: Replay) -> None:
    learn = _learn(setup, replay, "/api/v1/namespaces/t05/pods/imm", "2667")

    async def unschedulable() -> None:
        for _ in range(100):
            body = await setup.get("/api/v1/namespaces/t05/pods/imm")
            if body["status"].get("conditions"):
                break
            await asyncio.sleep(0.02)
        await learn()

    replay.before[17] = unschedulable


async def _t06(setup: Setup, replay: Replay) -> None:
    async def config() -> None:
        await setup.make("configmaps", "c", data={"a": "1", "b": "2"})

    replay.before[40] = config


async def _t08(setup: Setup, replay: Replay) -> None:
    async def duplicate() -> None:
        await setup.make("configmaps", "dup", data={"k": "v"})

    replay.before[22] = duplicate


async def _absent(setup: Setup, name: str) -> None:
    for _ in range(150):
        if (await setup.get(f"/api/v1/namespaces/{setup.namespace}/pods/{name}"))["kind"] == "Status":
            return
        await asyncio.sleep(0.02)


def _deployment(setup: Setup, name: str) -> Hook:
    async def hook() -> None:
        await setup.workload("deployments", name, 1)
        await setup.running(1, name)
        await setup.settled()

    return hook


async def _t09(setup: Setup, replay: Replay) -> None:
    await setup.pod("default")
    await setup.pod("zero")
    container = {"name": "c", "image": "k8s.local/app:1", "imagePullPolicy": "Never", "command": STUBBORN}
    await setup.pod("slow", terminationGracePeriodSeconds=5, containers=[container])
    await setup.pod("uid", terminationGracePeriodSeconds=1)
    await setup.pod("two", terminationGracePeriodSeconds=2)
    await setup.running(5)

    async def first() -> None:
        replay.known["2846"] = str(setup.served.objects.store.version)

    async def uid() -> None:
        await _absent(setup, "slow")
        body = await setup.get("/api/v1/namespaces/t09/pods/uid")
        replay.known["f48423cd-b489-4555-959a-fc0d2eca144f"] = body["metadata"]["uid"]

    async def finalizer() -> None:
        await setup.make(
            "configmaps", "fin", metadata={"finalizers": ["stormdrill.io/hold"]}, data={"k": "v"}
        )

    async def dry() -> None:
        await setup.make("configmaps", "dd", data={"k": "v"})

    async def leftover() -> None:
        await setup.workload("deployments", "e", 0)

    replay.before |= {0: first, 10: uid, 14: lambda: _absent(setup, "two"), 17: finalizer, 24: dry}
    replay.before |= {26: _deployment(setup, "d-background"), 32: _deployment(setup, "d-orphan")}
    replay.before |= {38: _deployment(setup, "d-foreground"), 46: leftover}
    _still(setup, replay, 35, 37)
    _still(setup, replay, 41, 43)


async def _t10(setup: Setup, replay: Replay) -> None:
    for index in range(4):
        labels = {"t": "ab"[index % 2 == 0]}
        await setup.make("configmaps", f"c{index}", metadata={"labels": labels}, data={"k": "v"})

    async def pods() -> None:
        for name in ("p0", "p1"):
            await setup.pod(name, labels={"g": "1"}, terminationGracePeriodSeconds=2)
        await setup.running(2)

    replay.before[7] = pods


async def _t11(setup: Setup, replay: Replay) -> None:
    await setup.workload("deployments", "d", 1)
    await setup.workload("statefulsets", "s", 1, serviceName="s")
    await setup.running(2)
    for first in (1, 11):
        _still(setup, replay, first, first + 2)
        _still(setup, replay, first + 3, first + 7)

    async def pod() -> None:
        await setup.pod("p", nodeSelector={"topology.kubernetes.io/zone": "nowhere"})

    replay.before[28] = pod


async def _t12(setup: Setup, replay: Replay) -> None:
    await setup.workload("deployments", "w", 3)
    await setup.running(3)
    body = await setup.get("/api/v1/namespaces/t12/pods")
    recorded = ("w-b754b4bf5-5c5rb", "w-b754b4bf5-6r7x5")
    replay.known |= dict(zip(recorded, (pod["metadata"]["name"] for pod in body["items"]), strict=False))
    replay.known["b754b4bf5"] = body["items"][0]["metadata"]["labels"]["pod-template-hash"]
    _still(setup, replay, 1, 3)

    async def second() -> None:
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "w"}}}
        await setup.make("poddisruptionbudgets", "w2", "apis/policy/v1", spec=spec)

    async def paced() -> None:
        replay.settled = _settled(setup)
        replay.known["7895"] = str(setup.served.objects.store.version)

    replay.before |= {4: paced, 14: second}


async def _t13(setup: Setup, replay: Replay) -> None:
    containers = [{"name": name, "image": "k8s.local/app:1", "command": COMMAND} for name in "ab"]
    await setup.pod("two", containers=containers)
    await setup.pod("pending", nodeSelector={"topology.kubernetes.io/zone": "nowhere"})
    await setup.pod("noimg", image="k8s.local/noimg:1")
    await setup.running(1)


async def _t17(setup: Setup, replay: Replay) -> None:
    await setup.make("configmaps", "old", metadata={"labels": {"w": "1"}}, data={"v": "1"})

    async def later() -> None:
        setup.served.objects.store.compact()

    async def two() -> None:
        body = await setup.get("/api/v1/namespaces/t17/configmaps")
        replay.known["5601"] = body["metadata"]["resourceVersion"]

    async def add() -> None:
        for name in ("x1", "x2"):
            await setup.make("configmaps", name, metadata={"labels": {"w": "1"}}, data={"v": "1"})

    replay.before |= {18: later, 29: two, 30: add}


async def _t14(setup: Setup, replay: Replay) -> None:
    replay.known["3724"] = str(setup.served.objects.store.version)


def _pods(setup: Setup, replay: Replay, *recorded: str) -> Hook:
    """Return a hook that notes which pods those stand for that were made since the last one noted."""

    async def hook() -> None:
        body = await setup.get(f"/api/v1/namespaces/{setup.namespace}/pods")
        names = [pod["metadata"]["name"] for pod in body["items"]]
        new = [name for name in names if name not in replay.known.values()]
        replay.known |= dict(zip(recorded, new, strict=True))

    return hook


def _hash(setup: Setup, replay: Replay, recorded: str, app: str) -> Hook:
    """Return a hook that notes the hash of the newest template of a Deployment."""

    async def hook() -> None:
        body = await setup.get(f"/apis/apps/v1/namespaces/{setup.namespace}/replicasets")
        found = [item for item in body["items"] if item["metadata"]["labels"]["app"] == app]
        newest = max(found, key=lambda item: int(item["metadata"]["annotations"][_REVISION]))
        replay.known[recorded] = newest["metadata"]["labels"]["pod-template-hash"]

    return hook


def _settled(setup: Setup) -> Hook:
    async def hook() -> None:
        # Longer than a fake kubelet takes to end a pod.
        await setup.settled(quiet_s=2 * STOP_S)

    return hook


async def _t19(setup: Setup, replay: Replay) -> None:
    replay.settled = _settled(setup)

    async def settled_hash(recorded: str, app: str) -> None:
        await setup.settled(quiet_s=2 * STOP_S)
        await _hash(setup, replay, recorded, app)()

    replay.before |= {3: lambda: settled_hash("94576bdd", "web"), 7: lambda: settled_hash("c9bbd9f6f", "web")}
    replay.before |= {27: lambda: settled_hash("646445df77", "bad")}


async def _t20(setup: Setup, replay: Replay) -> None:
    replay.settled = _settled(setup)

    def probed(*, ready: bool) -> Hook:
        async def hook() -> None:
            await setup.settled(quiet_s=2 * STOP_S)
            await _hash(setup, replay, "65bb59749c", "web")()
            body = await setup.get("/api/v1/namespaces/t20/pods")
            for kubelet in setup.kubelets:
                await kubelet.probed(body["items"][0], ready=ready)
            await setup.settled()
            if not ready:
                await _pods(setup, replay, "web-65bb59749c-djvgr")()

        return hook

    def noted(recorded: str) -> Hook:
        async def hook() -> None:
            await setup.settled(quiet_s=2 * STOP_S)
            await _pods(setup, replay, recorded)()

        return hook

    async def never_ready() -> None:
        container = {"name": "c", "image": "k8s.local/app:1", "command": COMMAND}
        container["readinessProbe"] = {"exec": {"command": ["/bin/false"]}}
        await setup.pod("nr", labels={"app": "nr"}, containers=[container])

    replay.before |= {7: probed(ready=False), 10: probed(ready=True)}
    replay.before |= {12: noted("web-65bb59749c-jbrxj"), 13: noted("web-65bb59749c-gc752")}
    replay.before |= {14: noted("web-65bb59749c-bfb8f"), 17: never_ready}


PREPARE = {
    "02": _t02, "03": _t03, "04": _t04, "05": _t05, "06": _t06, "08": _t08, "09": _t09, "10": _t10,
    "11": _t11, "12": _t12, "13": _t13, "14": _t14, "17": _t17, "19": _t19, "20": _t20,
}  # fmt: skip
