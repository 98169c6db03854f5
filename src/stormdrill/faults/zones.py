"""A zone as agents need it: its nodes, the networks inside it, and whether an agent lives on each node."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from stormdrill import faultspec
from stormdrill.activities import PRIMARY
from stormdrill.errors import ActionError
from stormdrill.faults import Estate
from stormdrill.faults.primary import cell_of, primary_of
from stormdrill.kube import Cluster

ZONE_LABEL = "topology.kubernetes.io/zone"
AGENT_SELECTOR = "app=agent"


@dataclass(frozen=True)
class Zone:
    """Nodes by name; networks are those of its nodes and of all pods on them."""

    name: str
    region: str
    nodes: tuple[str, ...]
    networks: tuple[str, ...]


def zone_of(estate: Estate, name: str) -> Zone:
    """The zone as its cluster has it now. ActionError when it is in no region or has no node."""
    region = estate.topology.zones.get(name)
    if region is None:
        known = ", ".join(estate.topology.zones)
        raise ActionError(f"no zone {name!r}; there are: {known}")
    cluster = estate.clusters[region]
    nodes = cluster.list("/api/v1/nodes", label_selector=f"{ZONE_LABEL}={name}")
    if not nodes:
        raise ActionError(f"zone {name}: no node of region {region} has {ZONE_LABEL}={name}")
    names = tuple(sorted(str(node["metadata"]["name"]) for node in nodes))
    return Zone(name, region, names, _networks(cluster, nodes))


def place_of(estate: Estate, name: str, cell: str) -> Zone:
    """The zone named, or the one of the cell's primary. ActionError when there is none, or no primary now."""
    if name != PRIMARY:
        return zone_of(estate, name)
    primary = primary_of(estate, cell_of(estate, cell)).pod
    if primary.zone is None:
        raise ActionError(f"the node of the primary {primary.name} has no {ZONE_LABEL}")
    return zone_of(estate, primary.zone)


def without_agent(cluster: Cluster, zone: Zone) -> list[str]:
    """The zone's nodes on which no agent is ready."""
    agents = cluster.pods(faultspec.NAMESPACE, AGENT_SELECTOR)
    alive = {pod.node for pod in agents if pod.ready}
    return [node for node in zone.nodes if node not in alive]


def _networks(cluster: Cluster, nodes: list[dict[str, Any]]) -> tuple[str, ...]:
    """Node addresses and pod networks; addresses of pods that are in none of these are added one by one."""
    found = {text for node in nodes for text in _of_node(node)}
    nets = [ip_network(text) for text in found]
    for node in nodes:
        here = f"spec.nodeName={node['metadata']['name']}"
        for pod in cluster.list("/api/v1/pods", field_selector=here):
            status = pod.get("status") or {}
            address = status.get("podIP")
            if not address or status.get("phase") in ("Succeeded", "Failed"):
                continue  # the address of a pod that has ended may be somebody else's by now
            if not any(ip_address(address) in net for net in nets):
                found.add(str(ip_network(address)))
    return tuple(sorted(found))


def _of_node(node: dict[str, Any]) -> list[str]:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    cidrs = spec.get("podCIDRs") or [spec.get("podCIDR")]
    addresses = [one["address"] for one in status.get("addresses") or [] if one.get("type") == "InternalIP"]
    return [str(ip_network(text, strict=False)) for text in (*cidrs, *addresses) if text]
