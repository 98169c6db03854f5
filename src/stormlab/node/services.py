"""Services and their endpoints as a node sees them: which pods stand behind a port, own zone first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stormlab.client import SYNCED
from stormlab.net.translation import Backend, Frontend
from stormlab.node.context import NodeContext
from stormlab.node.following import follow

Object = Mapping[str, Any]
SERVICE_NAME = "kubernetes.io/service-name"


@dataclass(frozen=True)
class Endpoint:
    """One address of an EndpointSlice."""

    address: str
    zone: str
    hostname: str
    ready: bool
    serving: bool
    terminating: bool
    ports: Mapping[str, int]
    """Port number by the name of the service's port."""


class ServiceTable:
    """All services of the region; `on_change` is called when anything differs."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._services: dict[tuple[str, str], Object] = {}
        self._slices: dict[str, tuple[tuple[str, str], tuple[Endpoint, ...]]] = {}
        self._synced: set[str] = set()

    @property
    def complete(self) -> bool:
        """Whether both lists have been seen: until then an absence means nothing."""
        return self._synced == {"services", "slices"}

    async def follow_services(self, node: NodeContext) -> None:
        """Follow the API's services for ever."""
        await follow(node.client, "/api/v1/services", self.service_heard)

    async def service_heard(self, kind: str, item: Object) -> None:
        """Take in an event of the services."""
        if kind == SYNCED:
            self._synced.add("services")
        else:
            key = (item["metadata"]["namespace"], item["metadata"]["name"])
            if kind == "DELETED":
                self._services.pop(key, None)
            else:
                self._services[key] = item
        self._on_change()

    async def follow_slices(self, node: NodeContext) -> None:
        """Follow the API's endpoint slices for ever."""
        await follow(node.client, "/apis/discovery.k8s.io/v1/endpointslices", self.slice_heard)

    async def slice_heard(self, kind: str, item: Object) -> None:
        """Take in an event of the endpoint slices."""
        if kind == SYNCED:
            self._synced.add("slices")
        elif kind == "DELETED":
            self._slices.pop(item["metadata"]["uid"], None)
        else:
            name = (item["metadata"].get("labels") or {}).get(SERVICE_NAME, "")
            key = (item["metadata"]["namespace"], name)
            self._slices[item["metadata"]["uid"]] = (key, _endpoints(item))
        self._on_change()

    def service(self, namespace: str, name: str) -> Object | None:
        """The Service object, None when there is none."""
        return self._services.get((namespace, name))

    def endpoints(self, namespace: str, name: str) -> list[Endpoint]:
        """All endpoints of a service, ready or not."""
        return [one for key, found in self._slices.values() if key == (namespace, name) for one in found]

    def frontends(self, zone: str) -> list[Frontend]:
        """What a node in `zone` has to translate."""
        found = []
        for (namespace, name), service in sorted(self._services.items()):
            spec = service["spec"]
            address = spec.get("clusterIP")
            if spec.get("type") == "ExternalName" or not spec.get("ports"):
                continue
            all_of_it = self.endpoints(namespace, name)
            inside = spec.get("internalTrafficPolicy") == "Local"
            outside = spec.get("externalTrafficPolicy") == "Local"
            for port in spec["ports"]:
                called = port.get("name") or ""
                local = choose(all_of_it, called, zone, local_only=True)
                anywhere = choose(all_of_it, called, zone)
                found.append(
                    Frontend(
                        name=f"{namespace}/{name}",
                        protocol=(port.get("protocol") or "TCP").lower(),
                        address=None if address in (None, "", "None") else address,
                        port=port["port"],
                        node_port=port.get("nodePort") or None,
                        backends=local if inside else anywhere,
                        # A service without any pod refuses; one whose pods are elsewhere keeps silent.
                        local_backends=local if outside and anywhere else None,
                    )
                )
        return found


def choose(
    endpoints: Iterable[Endpoint], port: str, zone: str, *, local_only: bool = False
) -> tuple[Backend, ...]:
    """Backends of one port for a node in `zone`: the ready ones of the zone, else (unless `local_only`) of everywhere.

    Where none is ready, those that still serve while they end are better than nothing.
    """
    having = [one for one in endpoints if port in one.ports and (one.zone == zone or not local_only)]
    ready = [one for one in having if one.ready]
    ready = ready or [one for one in having if one.serving and one.terminating]
    chosen = [one for one in ready if one.zone == zone] or ready
    return tuple(sorted({Backend(one.address, one.ports[port]) for one in chosen}, key=lambda b: b.address))


def _endpoints(item: Object) -> tuple[Endpoint, ...]:
    ports = {port.get("name") or "": port["port"] for port in item.get("ports") or () if port.get("port")}
    parts = item.get("endpoints") or ()
    return tuple(_endpoint(part, address, ports) for part in parts for address in part["addresses"])


def _endpoint(part: Object, address: str, ports: Mapping[str, int]) -> Endpoint:
    conditions = part.get("conditions") or {}
    ready = conditions.get("ready") is not False
    return Endpoint(
        address=address,
        zone=part.get("zone") or "",
        hostname=part.get("hostname") or "",
        ready=ready,
        serving=conditions.get("serving", ready) is not False,
        terminating=bool(conditions.get("terminating")),
        ports=ports,
    )
