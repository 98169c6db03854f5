"""One pod behind one service: its address, state and resolved ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stormlab.api.jsontree import Tree, at
from stormlab.api.record import Record
from stormlab.controllers import pods


@dataclass(frozen=True, slots=True)
class Port:
    """A service port, resolved to the pod's number."""

    name: str
    protocol: str
    number: int


@dataclass(frozen=True, slots=True)
class Backend:
    """A pod as an endpoint."""

    address: str
    namespace: str
    name: str
    uid: str
    node: str
    zone: str | None
    hostname: str
    ready: bool
    serving: bool
    terminating: bool
    ports: tuple[Port, ...]

    @property
    def target(self) -> Tree:
        """Return the reference to the pod."""
        return {"kind": "Pod", "namespace": self.namespace, "name": self.name, "uid": self.uid}


def backend_of(service: Record, pod: Record, zones: Mapping[str, str | None]) -> Backend | None:
    """Return the pod as an endpoint of the service; None without address or after its end."""
    address = at(pod.tree, "status", "podIP")
    if not address or pods.ended(pod):
        return None
    spec = service.tree["spec"]
    serving = pods.ready(pod)
    # publishNotReadyAddresses makes even a terminating, unready pod count as ready.
    ready = bool(spec.get("publishNotReadyAddresses")) or (serving and not pod.deleting)
    node = pod.tree["spec"].get("nodeName", "")
    hostname = ""
    if pod.tree["spec"].get("hostname") and pod.tree["spec"].get("subdomain") == service.name:
        hostname = pod.tree["spec"]["hostname"]
    resolved = [_resolve(port, pod) for port in spec.get("ports", ())]
    ports = tuple(port for port in resolved if port is not None)
    return Backend(
        address,
        pod.namespace,
        pod.name,
        pod.uid,
        node,
        zones.get(node),
        hostname,
        ready,
        serving,
        pod.deleting,
        ports,
    )


def _resolve(port: Tree, pod: Record) -> Port | None:
    target, protocol = port.get("targetPort", port["port"]), port.get("protocol", "TCP")
    if isinstance(target, int):
        return Port(port.get("name", ""), protocol, target)
    for container in pod.tree["spec"].get("containers", ()):
        for offered in container.get("ports", ()):
            if offered.get("name") == target and offered.get("protocol", "TCP") == protocol:
                return Port(port.get("name", ""), protocol, offered["containerPort"])
    return None


def slice_endpoint(backend: Backend) -> Tree:
    """Return the endpoint as it stands in a slice."""
    made: Tree = {
        "addresses": [backend.address],
        "conditions": {
            "ready": backend.ready,
            "serving": backend.serving,
            "terminating": backend.terminating,
        },
    }
    if backend.hostname:
        made["hostname"] = backend.hostname
    made["targetRef"] = backend.target
    made["nodeName"] = backend.node
    if backend.zone:
        made["zone"] = backend.zone
    return made


def subsets(found: list[Backend]) -> list[Tree]:
    """Return the subsets of an Endpoints object: terminating pods are left out."""
    groups: dict[tuple[Port, ...], tuple[list[Tree], list[Tree]]] = {}
    for backend in sorted(found, key=lambda item: item.address):
        if backend.terminating:
            continue
        address: Tree = {"ip": backend.address}
        if backend.hostname:
            address["hostname"] = backend.hostname
        address |= {"nodeName": backend.node, "targetRef": backend.target}
        groups.setdefault(backend.ports, ([], []))[0 if backend.ready else 1].append(address)
    made = []
    for ports, (ready, unready) in groups.items():
        subset: Tree = {}
        if ready:
            subset["addresses"] = ready
        if unready:
            subset["notReadyAddresses"] = unready
        subset["ports"] = [
            {**({"name": port.name} if port.name else {}), "port": port.number, "protocol": port.protocol}
            for port in ports
        ]
        made.append(subset)
    return made
