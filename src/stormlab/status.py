"""What a lab looks like now: processes, zones, pods, links, databases, endpoints; also of a broken one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stormlab import daemons, observe
from stormlab.client import Client
from stormlab.errors import LabError
from stormlab.estate import Estate
from stormlab.inventory import Inventory
from stormlab.net import control, relay
from stormlab.preset import PatroniReady
from stormlab.process import ProcessId
from stormlab.regions import clients

SCHEMA = "stormlab.status/1"
Row = dict[str, Any]


def gather(estate: Estate, state: Path) -> Row:
    """Everything `status --json` prints. Parts that do not answer are absent, with a line in `troubles`."""
    troubles: list[str] = []
    report: Row = {"schema": SCHEMA, "name": estate.name, "state": str(state)}
    report["topology"] = str(estate.source)
    report["kubeconfig"] = str(state / "kubeconfig")
    report["processes"] = list(_processes(estate, state))
    troubles += [f"{row['name']} does not run" for row in report["processes"] if not row["running"]]
    report |= _links(state, troubles)
    report |= asyncio.run(_inside(estate, state, troubles))
    report["endpoints"] = {entry.name: f"127.0.0.1:{entry.listen}" for entry in estate.forwards} | {
        f"api-{region.name}": f"https://127.0.0.1:{region.api_port}" for region in estate.regions
    }
    report["troubles"] = troubles
    return report


def _processes(estate: Estate, state: Path) -> Iterator[Row]:
    wanted = daemons.wanted(estate, state)
    running = daemons.running(Inventory(state), wanted)
    for daemon in wanted:
        process = running.get(daemon.name)
        yield {
            "name": daemon.name,
            "running": process is not None,
            "pid": process.pid if process else None,
            "age_s": _age_s(process) if process else None,
        }


def _age_s(process: ProcessId) -> float:
    return round(time.clock_gettime(time.CLOCK_BOOTTIME) - process.start_ticks / os.sysconf("SC_CLK_TCK"), 1)


def _links(state: Path, troubles: list[str]) -> Row:
    try:
        answer = control.ask(state / relay.SOCKET, {"get": True})
    except LabError as error:
        troubles.append(str(error))
        return {"links": [], "link_carrier": None}
    return {"links": answer["links"], "link_carrier": f"{answer['implementation']} relay in user space"}


async def _inside(estate: Estate, state: Path, troubles: list[str]) -> Row:
    nodes: list[Row] = []
    pods: list[Row] = []
    databases: list[Row] = []
    try:
        async with clients(estate, state) as by_region:
            for region, client in by_region.items():
                try:
                    nodes += await _nodes(region, client)
                    pods += [_pod(region, pod) for pod in await observe.pods(client)]
                except LabError as error:
                    troubles.append(f"{region}: {error}")
            databases = await _databases(estate, by_region, troubles)
    except OSError as error:
        troubles.append(f"no trust yet: {error}")
    zones = [
        {"zone": zone.name, "region": zone.region, "address": zone.address}
        | {"node": _node_of(zone.name, nodes)}
        | {"pods": sum(pod["zone"] == zone.name for pod in pods)}
        | {"pods_ready": sum(pod["zone"] == zone.name and pod["ready"] for pod in pods)}
        for zone in estate.zones
    ]
    return {"zones": zones, "pods": pods, "databases": databases}


def _node_of(zone: str, nodes: list[Row]) -> str:
    return next((node["state"] for node in nodes if node["name"] == zone), "absent")


async def _nodes(region: str, client: Client) -> list[Row]:
    found = []
    for node in await client.list("/api/v1/nodes"):
        state = "Ready" if observe.pod_ready(node) else "NotReady"
        if node.get("spec", {}).get("unschedulable"):
            state += ",SchedulingDisabled"
        found.append({"name": node["metadata"]["name"], "region": region, "state": state})
    return found


def _pod(region: str, pod: Mapping[str, Any]) -> Row:
    ready = observe.pod_ready(pod)
    status = pod.get("status", {})
    return {
        "region": region,
        "zone": pod.get("spec", {}).get("nodeName"),
        "namespace": pod["metadata"]["namespace"],
        "name": pod["metadata"]["name"],
        "address": status.get("podIP"),
        "ready": ready,
        "restarts": sum(entry.get("restartCount", 0) for entry in status.get("containerStatuses") or []),
        "state": "Ready" if ready else observe.pod_trouble(pod),
    }


async def _databases(estate: Estate, by_region: Mapping[str, Client], troubles: list[str]) -> list[Row]:
    found = []
    for part in estate.preset.ready:
        if not isinstance(part, PatroniReady):
            continue
        try:
            members = await observe.patroni(estate, by_region[part.region], part.selector, part.port)
        except LabError as error:
            troubles.append(f"{part.region}: {error}")
            continue
        found += [{"region": part.region, **vars(member)} for member in members]
    return found
