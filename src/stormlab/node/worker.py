"""One pod from the moment it is bound to this node until nothing of it is left."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stormlab.client import ApiError
from stormlab.errors import LabError
from stormlab.node.cache import CachedObjects
from stormlab.node.context import NodeContext, log
from stormlab.node.downward import ConfigError
from stormlab.node.home import Home, plan
from stormlab.node.podspec import PodSpec, UnsupportedPodError, parse
from stormlab.node.podstatus import pod_status, refused_status
from stormlab.node.projection import VolumeError, sources_of
from stormlab.node.runs import PodRuns
from stormlab.node.statuswriter import StatusWriter
from stormlab.node.volumes import refresh
from stormlab.pod import sandbox as sandboxes
from stormlab.pod.sandbox import Sandbox
from stormlab.pod.shimclient import ShimClient, ShimGoneError
from stormlab.wait import event_within, pause

_IDLE_S = 30.0
_RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0)


class PodWorker:
    """Brings one pod to what the API says and keeps it there. `run` is its life."""

    def __init__(self, node: NodeContext, pod: dict[str, Any], found: Sandbox | None) -> None:
        self._node = node
        self._object = pod
        self.uid: str = pod["metadata"]["uid"]
        self.namespace: str = pod["metadata"]["namespace"]
        self.label = f"{self.namespace}/{pod['metadata']['name']}"
        self.spec: PodSpec | None = None
        self.runs: PodRuns | None = None
        self._sandbox = found
        self._shim: ShimClient | None = None
        self._objects = CachedObjects(node.client)
        self._wake = asyncio.Event()
        self._gone_from_api = False
        self._grace_until: float | None = None
        self._failures = 0
        self._serves = False
        self._looked = False
        self._stale = False
        """Whether what its volumes show may have changed."""
        self._status = StatusWriter(node.client, pod, self._wake.set)

    # What the kubelet tells it.

    def update(self, pod: dict[str, Any]) -> None:
        """The object as the API has it now; a shorter grace period or none takes effect at once."""
        self._object = pod
        self._status.observed(pod)
        metadata = pod["metadata"]
        if self.spec is not None and _told(self.spec.metadata) != _told(metadata):
            self.spec = replace(self.spec, metadata=metadata)
            self._stale = True
        if self.runs is not None:
            self.runs.change_images(pod["spec"])
        if metadata.get("deletionTimestamp"):
            grace_s = metadata.get("deletionGracePeriodSeconds") or 0
            until = time.monotonic() + grace_s
            self._grace_until = until if self._grace_until is None else min(until, self._grace_until)
            if grace_s == 0:
                self.kill()
        self._wake.set()

    def heard(self, path: str, found: dict[str, Any] | None) -> None:
        """A ConfigMap or Secret of the API as it is now, None when it is gone."""
        self._objects.heard(path, found)
        if self.spec is None or found is None:
            return
        kind, name = path.rsplit("/", 2)[-2:]
        if any((kind, name) in sources_of(volume) for volume in self.spec.volumes.values()):
            self._stale = True
            self._wake.set()

    def gone(self) -> None:
        """The object is gone from the API: the pod dies now."""
        self._gone_from_api = True
        self.kill()
        self._wake.set()

    def kill(self) -> None:
        """SIGKILL every process of the pod, at once."""
        self._grace_until = min(self._grace_until or time.monotonic(), time.monotonic())
        if self._sandbox is not None:
            sandboxes.kill(self._sandbox)

    def successor(self) -> PodWorker:
        """A fresh worker for the same pod, after something unforeseen ended this one."""
        found = sandboxes.load(self._node.pod_directory(self.uid))
        made = PodWorker(self._node, self._object, found)
        made.update(self._object)
        if self._gone_from_api:
            made.gone()
        return made

    def home(self) -> Home | None:
        """Where its containers run, None while they do not."""
        if self.spec is None or self._sandbox is None or self._shim is None or self._shim.gone.is_set():
            return None
        return Home(self._node, self.spec, self._sandbox, self._shim, self._objects, self._until)

    def _until(self) -> float:
        return math.inf if self._grace_until is None else self._grace_until

    @property
    def settled(self) -> bool:
        """Whether the API's status of the pod is what this node found of it, or the pod is ending."""
        return self._grace_until is not None or (self._looked and self._status.idle)

    # Its life.

    async def run(self) -> None:
        """Work until the pod is gone from this machine and from the API."""
        try:
            self.spec = parse(self._object)
            self.runs = PodRuns(self.spec, self._wake.set, self._node.estate.kubelet)
            if self._sandbox is not None:
                self.runs.inherit(self._object.get("status") or {})
        except UnsupportedPodError as error:
            self._node.events.say(self._object["metadata"], "Warning", "UnsupportedPodSpec", str(error))
            self._status.want(refused_status(self._object, "UnsupportedPodSpec", str(error), time.time()))
        try:
            while not await self._finished():
                due_s = await self._step()
                self._looked = True
                await event_within(self._wake, _IDLE_S if due_s is None else due_s)
                self._wake.clear()
        finally:
            await self._status.close()
            if self.runs is not None:
                self.runs.close()
            if self._shim is not None:
                self._shim.close()

    async def _finished(self) -> bool:
        if self._gone_from_api or self._status.pod_is_gone:
            return await self._remove()
        if self._grace_until is not None:
            await self._terminate()
            return await self._delete()
        return False

    async def _step(self) -> float | None:
        """Do what is due; seconds until something is due again."""
        if self.spec is None or self.runs is None:
            return None
        try:
            home = await self._settle(self.spec)
            await self._freshen(home)
            due = await self.runs.tend(home) if self._grace_until is None else []
            if not self._serves and self.runs.serve(home):
                self._serves = True
                sandboxes.serve(home.sandbox)
            self._failures = 0
        except (LabError, OSError) as error:
            log.warning("pod %s: %s", self.label, error)
            self._node.events.say(self._object["metadata"], "Warning", "FailedCreatePodSandBox", str(error))
            due = [_RETRY_S[min(self._failures, len(_RETRY_S) - 1)]]
            self._failures += 1
        self._report()
        return min((one for one in due if one is not None), default=None)

    async def _freshen(self, home: Home) -> None:
        """Bring what running containers see of the API up to date; what cannot be had keeps its old content."""
        if not self._stale:
            return
        self._stale = False
        try:
            await refresh(home.pod, home.store, home.sources)
        except (ConfigError, VolumeError) as error:
            home.say("Warning", "FailedMount", f"MountVolume.SetUp failed: {error}")

    async def _settle(self, spec: PodSpec) -> Home:
        """The pod's sandbox, adopted, made, or made anew when it was lost. Raises LabError."""
        if self._sandbox is not None and self._shim is None:
            await self._connect(self._sandbox)
        if self._sandbox is not None and self._shim is not None and self._shim.gone.is_set():
            await self._lose(self._sandbox)
        if self._sandbox is None:
            self._report()
            self._sandbox = plan(self._node, spec)
            directory = self._node.pod_directory(self.uid)
            await sandboxes.create(self._sandbox, directory, self._node.zone, self._node.inventory)
            await self._connect(self._sandbox)
        home = self.home()
        if home is None:
            raise ShimGoneError("the pod's first process ended at once")
        return home

    async def _connect(self, sandbox: Sandbox) -> None:
        try:
            self._shim = await ShimClient.connect(self._node.pod_directory(sandbox.uid), self._wake.set)
        except ShimGoneError:
            await self._lose(sandbox)

    async def _lose(self, sandbox: Sandbox) -> None:
        """Somebody killed the pod's first process: what ran in it ended, the pod gets a new one."""
        if self._shim is not None:
            if self.runs is not None:
                self.runs.lose(self._shim.states)
            self._shim.close()
            self._shim = None
        node = self._node
        directory = node.pod_directory(self.uid)
        await sandboxes.remove(sandbox, directory, node.zone, node.inventory, keep_files=True)
        if sandbox.own_network:
            node.addresses.give_back(sandbox.address)
        self._sandbox, self._serves = None, False

    # Its end.

    async def _terminate(self) -> None:
        """End the containers within the grace period; then a last status while the object is there."""
        if self._sandbox is not None and self._shim is None and not self._gone_from_api:
            await self._connect(self._sandbox)
        home = self.home()
        if home is None:
            return
        await asyncio.gather(*(self._end(home, name) for name in home.shim.states))
        if self._gone_from_api or home.shim.gone.is_set():
            return
        self._report(final=True)
        await self._status.flush(2.0)

    async def _end(self, home: Home, name: str) -> None:
        run = self.runs.find(name) if self.runs is not None else None
        if run is None:
            return
        home.say("Normal", "Killing", f"Stopping container {name}")
        run.close()
        try:
            # The delete says how long it may take, not the pod.
            await run.stop(home, math.inf)
        except LabError as error:
            log.debug("pod %s: %s", self.label, error)
            sandboxes.kill(home.sandbox)

    async def _remove(self) -> bool:
        """Remove what is left of the pod on this machine; whether it is gone."""
        if self.runs is not None:
            self.runs.close()
        if self._sandbox is not None:
            directory = self._node.pod_directory(self.uid)
            try:
                await sandboxes.remove(self._sandbox, directory, self._node.zone, self._node.inventory)
            except LabError as error:
                log.error("pod %s: %s", self.label, error)
                await pause(1.0)
                return False
            if self._sandbox.own_network:
                self._node.addresses.give_back(self._sandbox.address)
            self._sandbox = None
        return True

    async def _delete(self) -> bool:
        """Take the object of a pod that is dead out of the API; whether it is gone."""
        if not await self._remove():
            return False
        metadata = self._object["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        try:
            await self._node.client.delete(path, grace_s=0, uid=self.uid)
        except ApiError as error:
            if error.code not in {404, 409}:
                log.warning("pod %s is dead but not deleted: %s", self.label, error)
                await event_within(self._wake, 1.0)
                return self._gone_from_api
        return True

    def _report(self, *, final: bool = False) -> None:
        if self.spec is None or self.runs is None:
            return
        first, views = self.runs.views(self.spec, self._shim)
        if final:
            first, views = [view.ended() for view in first], [view.ended() for view in views]
        addresses = {"hostIP": self._node.zone.address}
        if self._sandbox is not None:
            addresses["podIP"] = self._sandbox.address
        old = self._status.current
        self._status.want(pod_status(self.spec, views, addresses, first=first, old=old, now=time.time()))


def _told(metadata: Mapping[str, Any]) -> tuple[Any, Any]:
    """What of a pod's metadata its files may show, and may change."""
    return metadata.get("labels"), metadata.get("annotations")
