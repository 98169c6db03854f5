"""The pods of a node: a worker for each that the API binds here, death for each that it no longer has."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from stormlab.client import SYNCED
from stormlab.errors import LabError
from stormlab.node.context import NodeContext, log
from stormlab.node.following import follow
from stormlab.node.worker import PodWorker
from stormlab.pod import sandbox as sandboxes
from stormlab.pod.sandbox import Sandbox
from stormlab.wait import pause


class Kubelet:
    """Follows the pods bound to one zone. Adopts what an earlier node process left running."""

    def __init__(self, node: NodeContext) -> None:
        self._node = node
        self._workers: dict[str, PodWorker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._synced = False
        self._orphans = _left_running(node)
        for sandbox in self._orphans.values():
            if sandbox.own_network:
                node.addresses.take(sandbox.address)

    def worker(self, namespace: str, name: str) -> PodWorker | None:
        """The worker of a pod by name; of two (an old one still dying) the newer."""
        found = [worker for worker in self._workers.values() if worker.label == f"{namespace}/{name}"]
        return found[-1] if found else None

    def unsettled(self) -> list[str]:
        """Pods whose status in the API may be older than this process; one entry for all before they are known."""
        if not self._synced:
            return ["all"]
        return [worker.label for worker in self._workers.values() if not worker.settled]

    def directories(self) -> list[Path]:
        """Where the pods of this node keep their logs."""
        return [self._node.pod_directory(uid) for uid in self._workers]

    async def run(self) -> None:
        """Follow the API for ever."""
        mine = f"spec.nodeName={self._node.zone.name}"
        await follow(self._node.client, "/api/v1/pods", self._heard, fields=mine)

    async def _heard(self, kind: str, pod: dict[str, Any]) -> None:
        if kind == SYNCED:
            await self._remove_orphans()
            self._synced = True
        elif kind == "DELETED":
            self._deleted(pod)
        else:
            self._present(pod)

    async def follow(self, plural: str) -> None:
        """Follow the API's `configmaps` or `secrets` for ever: pods that show them see changes within moments."""
        async for kind, item in self._node.client.watch(f"/api/v1/{plural}"):
            if kind != SYNCED:
                metadata = item["metadata"]
                path = f"/api/v1/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"
                for worker in self._workers.values():
                    if worker.namespace == metadata["namespace"]:
                        worker.heard(path, None if kind == "DELETED" else item)

    def _present(self, pod: dict[str, Any]) -> None:
        uid = pod["metadata"]["uid"]
        worker = self._workers.get(uid)
        if worker is None:
            if (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"} and uid not in self._orphans:
                return  # it ran to its end before; nothing of it is here
            worker = PodWorker(self._node, pod, self._orphans.pop(uid, None))
            self._workers[uid] = worker
            task = asyncio.create_task(self._work(worker), name=f"pod {worker.label}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        worker.update(pod)

    def _deleted(self, pod: dict[str, Any]) -> None:
        worker = self._workers.get(pod["metadata"]["uid"])
        if worker is not None:
            worker.gone()

    async def _work(self, worker: PodWorker) -> None:
        while True:
            try:
                await worker.run()
                break
            except Exception:  # noqa: BLE001
                # One pod's surprise must not end the node; it is tried again, loudly.
                log.exception("pod %s", worker.label)
                await pause(1.0)
                worker = self._workers[worker.uid].successor()
                self._workers[worker.uid] = worker
        del self._workers[worker.uid]

    async def _remove_orphans(self) -> None:
        """Pods of an earlier node process that the API no longer has."""
        for uid, sandbox in list(self._orphans.items()):
            log.info("pod %s/%s is not in the API any more: killed", sandbox.namespace, sandbox.name)
            try:
                await sandboxes.remove(
                    sandbox, self._node.pod_directory(uid), self._node.zone, self._node.inventory
                )
            except (LabError, OSError) as error:
                log.error("pod %s/%s: %s", sandbox.namespace, sandbox.name, error)
                continue
            del self._orphans[uid]
            if sandbox.own_network:
                self._node.addresses.give_back(sandbox.address)


def _left_running(node: NodeContext) -> dict[str, Sandbox]:
    """Sandboxes of this zone in the state directory."""
    directory: Path = node.state / "pods"
    directory.mkdir(mode=0o700, exist_ok=True)
    node.claims.mkdir(parents=True, exist_ok=True)
    node.claims.parent.chmod(0o700)
    found = [sandboxes.load(place) for place in sorted(directory.iterdir())]
    return {
        sandbox.uid: sandbox for sandbox in found if sandbox is not None and sandbox.zone == node.zone.name
    }
