"""Pods as the harness sees them: who they are, where they run, whether they serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

ZONE_LABEL = "topology.kubernetes.io/zone"
_FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class ContainerRef:
    """One container of a pod. `started_at` (RFC 3339) and `id` change when it is started anew."""

    name: str
    id: str
    started_at: str | None
    restarts: int
    ready: bool


@dataclass(frozen=True)
class PodRef:
    """One pod at the moment of the list. `zone` is its node's; None without a node, or when that has none."""

    name: str
    namespace: str
    uid: str
    node: str | None
    zone: str | None
    phase: str
    ready: bool
    started_at: str | None
    address: str | None
    terminating: bool
    owner: str | None
    containers: tuple[ContainerRef, ...]
    created_at: str


class Lists(Protocol):
    """What this module needs of a cluster."""

    def list(self, path: str, label_selector: str | None = None) -> list[dict[str, Any]]:
        """Items of a collection."""


def pod_refs(cluster: Lists, namespace: str, selector: str, zone: str | None) -> tuple[PodRef, ...]:
    """Pods of a selector, optionally of one zone, sorted by name.

    Those that have finished (evicted, completed) are left out: they stay in the API for days, serve nobody,
    and their owner has replaced them.
    """
    listed = cluster.list(f"/api/v1/namespaces/{namespace}/pods", label_selector=selector)
    raw = [item for item in listed if (item.get("status") or {}).get("phase") not in _FINISHED]
    if not raw:
        return ()
    zones = {node["metadata"]["name"]: _zone(node) for node in cluster.list("/api/v1/nodes")}
    pods = [_pod(item, zones) for item in raw]
    return tuple(sorted((pod for pod in pods if zone is None or pod.zone == zone), key=lambda pod: pod.name))


def _zone(node: dict[str, Any]) -> str | None:
    return (node["metadata"].get("labels") or {}).get(ZONE_LABEL)


def _pod(item: dict[str, Any], zones: dict[str, str | None]) -> PodRef:
    meta, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or []}
    owners = [o["name"] for o in meta.get("ownerReferences") or [] if o.get("controller")]
    return PodRef(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        node=spec.get("nodeName"),
        zone=zones.get(spec.get("nodeName", "")),
        phase=status.get("phase", "Unknown"),
        ready=conditions.get("Ready") == "True" and "deletionTimestamp" not in meta,
        started_at=status.get("startTime"),
        address=status.get("podIP"),
        terminating="deletionTimestamp" in meta,
        owner=owners[0] if owners else None,
        containers=tuple(_container(entry) for entry in status.get("containerStatuses") or []),
        created_at=meta.get("creationTimestamp", ""),
    )


def _container(entry: dict[str, Any]) -> ContainerRef:
    running = (entry.get("state") or {}).get("running") or {}
    return ContainerRef(
        name=entry["name"],
        id=entry.get("containerID", ""),
        started_at=running.get("startedAt"),
        restarts=int(entry.get("restartCount", 0)),
        ready=bool(entry.get("ready")),
    )
