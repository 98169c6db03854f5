"""Where a pod's containers run at present."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stormlab import cgroup
from stormlab.node import credentials
from stormlab.node.cache import CachedObjects
from stormlab.node.context import NodeContext
from stormlab.node.podspec import PodSpec
from stormlab.node.projection import Sources
from stormlab.node.volumes import Store
from stormlab.pod.sandbox import Sandbox
from stormlab.pod.shimclient import ShimClient


@dataclass(frozen=True)
class Home:
    """A pod's world on this node."""

    node: NodeContext
    pod: PodSpec
    sandbox: Sandbox
    shim: ShimClient
    objects: CachedObjects
    until: Callable[[], float]
    """When the pod has to be gone, on the monotonic clock: infinite unless it is being deleted."""

    @property
    def store(self) -> Store:
        """Where its volumes lie."""
        node = self.node
        return Store(node.pod_directory(self.pod.uid), node.claims, node.files, node.inventory)

    @property
    def sources(self) -> Sources:
        """Where the content of its volumes comes from."""
        node = self.node

        async def token() -> bytes:
            place = node.pod_directory(self.pod.uid)
            return await credentials.token(self.pod, place, node.state / "pki", self.objects)

        return Sources(self.objects, token)

    def say(self, kind: str, reason: str, message: str) -> None:
        """Record an event of the pod. `kind`: Normal, Warning."""
        self.node.events.say(self.pod.metadata, kind, reason, message)


def plan(node: NodeContext, pod: PodSpec) -> Sandbox:
    """What a new sandbox of the pod is to be, with an address of its own if it wants one. Raises LabError."""
    zone, lab = node.zone, node.estate.cgroup
    own = not pod.host_network
    cpu, memory = (
        str(root / lab / f"pod{pod.uid}") if root is not None else ""
        for root in (cgroup.v1_cpu_root(), cgroup.v1_memory_root())
    )
    return Sandbox(
        uid=pod.uid,
        namespace=pod.namespace,
        name=pod.name,
        zone=zone.name,
        hostname=pod.hostname[:63].rstrip("-.") if own else zone.name,
        address=node.addresses.take() if own else zone.address,
        netns=node.estate.pod_netns(pod.uid) if own else zone.netns,
        own_network=own,
        cgroup=str(cgroup.pod_path(lab, zone.name, pod.uid)),
        cpu_cgroup=cpu,
        memory_cgroup=memory,
        host_pid=pod.host_pid,
    )
