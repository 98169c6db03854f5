"""What a name means inside the lab: pure answers from the service table, as cluster DNS gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from stormlab.node.services import Endpoint

CLUSTER = "cluster.local"
TTL_S = 5


class Services(Protocol):
    """The part of the service table that names need."""

    def service(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """The Service object."""

    def endpoints(self, namespace: str, name: str) -> list[Endpoint]:
        """All its endpoints."""


@dataclass(frozen=True)
class Answer:
    """To one question. `found` false means that the name does not exist."""

    found: bool
    addresses: tuple[str, ...] = ()
    alias: str = ""
    targets: tuple[tuple[int, str], ...] = field(default=())
    """Of a service question: port and host name."""


NOTHING = Answer(found=False)


def local_part(name: str, region: str) -> str | None:
    """`name` without the domain this region answers for; None when another has to be asked.

    Names without any domain are taken as `<service>.<namespace>[.svc]`.
    """
    for domain in (CLUSTER, f"{region}.local"):
        if name == domain or name.endswith(f".{domain}"):
            return name.removesuffix(domain).rstrip(".")
    return name if name.count(".") == 1 or (name.count(".") == 2 and name.endswith(".svc")) else None


def other_region(name: str, regions: Sequence[str]) -> str | None:
    """The region whose domain `name` is in, None when in none."""
    return next((one for one in regions if name.endswith(f".{one}.local")), None)


def resolve(local: str, services: Services, domain: str = CLUSTER) -> Answer:
    """Answer for `[_port._tcp.|host.]<service>.<namespace>[.svc]`."""
    if local in {"", "svc"}:
        return Answer(found=True)
    *before, name, namespace = ["", *local.removesuffix(".svc").split(".")]
    before = before[1:]
    service = services.service(namespace, name)
    if service is None:
        return NOTHING
    if service["spec"].get("type") == "ExternalName":
        alias = str(service["spec"]["externalName"]).rstrip(".")
        return NOTHING if before else Answer(found=True, alias=alias)
    listed = bool(service["spec"].get("publishNotReadyAddresses"))
    usable = [one for one in services.endpoints(namespace, name) if one.ready or listed]
    if len(before) == 2 and all(label.startswith("_") for label in before):
        return _service_record(before, service, usable, f"{name}.{namespace}.svc.{domain}")
    return NOTHING if len(before) > 1 else _addresses_of(service, usable, before)


def _addresses_of(service: Mapping[str, Any], usable: Sequence[Endpoint], host: Sequence[str]) -> Answer:
    address = service["spec"].get("clusterIP")
    if address != "None":
        return NOTHING if host else Answer(found=True, addresses=(address,) if address else ())
    wanted = [one for one in usable if not host or _host(one) == host[0]]
    return Answer(found=bool(wanted), addresses=_addresses(wanted))


def _host(endpoint: Endpoint) -> str:
    return endpoint.hostname or endpoint.address.replace(".", "-")


def _addresses(endpoints: Sequence[Endpoint]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.address for one in endpoints))


def _service_record(
    labels: Sequence[str],
    service: Mapping[str, Any],
    usable: Sequence[Endpoint],
    full: str,
) -> Answer:
    port_name, protocol = (label.removeprefix("_") for label in labels)
    for port in service["spec"].get("ports") or ():
        if (port.get("name") or "") == port_name and (port.get("protocol") or "TCP").lower() == protocol:
            if service["spec"].get("clusterIP") != "None":
                return Answer(found=True, targets=((port["port"], full),))
            targets = [
                (one.ports[port_name], f"{_host(one)}.{full}") for one in usable if port_name in one.ports
            ]
            return Answer(found=bool(targets), targets=tuple(dict.fromkeys(targets)))
    return NOTHING
