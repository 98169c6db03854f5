"""What one region's API knows: nodes, pods, faults in force, fences."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from stormlab import observe
from stormlab.client import Client
from stormlab.estate import Region, Zone
from stormlab.status import watched
from stormlab.status.part import Part, Row
from stormlab.statusparts import Watch


async def region(of: Region, client: Client, watch: Watch) -> Part:
    """The region's part of the report. Raises ApiError when its API does not answer."""
    nodes, pods, faults, fences = await asyncio.gather(
        client.list("/api/v1/nodes"),
        observe.pods(client),
        watched.faults(of.name, client, watch),
        watched.fences(of.name, client, watch),
    )
    state_of = {node["metadata"]["name"]: _node(node) for node in nodes}
    rows = [_pod(of.name, pod) for pod in pods]
    zones = [_zone(zone, state_of.get(zone.name, "absent"), rows) for zone in of.zones]
    return Part({"zones": zones, "pods": rows, "faults": faults, "fences": fences})


def nothing(of: Region) -> Row:
    """What is known of a region whose API does not answer."""
    zones = [{**_place(zone), "node": "unknown", "pods": None, "pods_ready": None} for zone in of.zones]
    return {"zones": zones, "pods": [], "faults": [], "fences": []}


def _place(zone: Zone) -> Row:
    return {"zone": zone.name, "region": zone.region, "address": zone.address}


def _zone(zone: Zone, node: str, pods: list[Row]) -> Row:
    here = [pod for pod in pods if pod["zone"] == zone.name]
    counts = {"pods": len(here), "pods_ready": sum(pod["ready"] for pod in here)}
    return {**_place(zone), "node": node, **counts}


def _node(node: Mapping[str, Any]) -> str:
    state = "Ready" if observe.pod_ready(node) else "NotReady"
    return f"{state},SchedulingDisabled" if node.get("spec", {}).get("unschedulable") else state


def _pod(of: str, pod: Mapping[str, Any]) -> Row:
    ready = observe.pod_ready(pod)
    status = pod.get("status", {})
    return {
        "region": of,
        "zone": pod.get("spec", {}).get("nodeName"),
        "namespace": pod["metadata"]["namespace"],
        "name": pod["metadata"]["name"],
        "address": status.get("podIP"),
        "ready": ready,
        "restarts": sum(entry.get("restartCount", 0) for entry in status.get("containerStatuses") or []),
        "state": "Ready" if ready else observe.pod_trouble(pod),
    }
