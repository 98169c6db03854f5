"""The node in the API: its Node object, and the lease it renews to say that it lives."""

from __future__ import annotations

import os
import platform
import time
from datetime import UTC, datetime
from typing import Any

from stormlab.client import MERGE_PATCH, ApiError
from stormlab.node.context import NodeContext, log
from stormlab.node.podstatus import timestamp
from stormlab.wait import ticks

LEASE_S = 40
_STATUS_S = 60.0
_RETRY_S = 1.0
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


async def run(node: NodeContext) -> None:
    """Register, then renew the lease and the status for ever, whatever the API answers."""
    registered_at = 0.0
    renewed_at = 0.0
    async for _ in ticks(_RETRY_S):
        now = time.monotonic()
        try:
            if not registered_at or now - registered_at >= _STATUS_S:
                await register(node)
                registered_at = now
            if not renewed_at or now - renewed_at >= node.estate.controllers.lease_renewal_s:
                await _renew(node)
                renewed_at = now
        except ApiError as error:
            log.warning("registering node %s: %s", node.zone.name, error)


async def register(node: NodeContext) -> None:
    """Create the Node object if it is missing, and say that it is Ready. Raises ApiError."""
    zone = node.zone
    path = f"/api/v1/nodes/{zone.name}"
    labels = {
        "kubernetes.io/hostname": zone.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(
            os.uname().machine, os.uname().machine
        ),
        "topology.kubernetes.io/zone": zone.name,
        "topology.kubernetes.io/region": zone.region,
    }
    try:
        found = await node.client.get(path)
    except ApiError as error:
        if error.code != 404:
            raise
        body = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": zone.name, "labels": labels},
            "spec": {},
        }
        found = await node.client.create("/api/v1/nodes", body)
    if not labels.items() <= (found["metadata"].get("labels") or {}).items():
        await node.client.patch(path, {"metadata": {"labels": labels}}, MERGE_PATCH)
    await node.client.patch(f"{path}/status", {"status": _status(node, found.get("status") or {})})


def _status(node: NodeContext, old: dict[str, Any]) -> dict[str, Any]:
    now = timestamp(time.time())
    before = {condition["type"]: condition for condition in old.get("conditions") or ()}
    conditions = []
    for kind, status, reason in (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID"),
        ("Ready", "True", "KubeletReady"),
    ):
        same = before.get(kind, {}).get("status") == status
        since = before[kind]["lastTransitionTime"] if same else now
        conditions.append(
            {"type": kind, "status": status, "reason": reason, "message": ""}
            | {"lastHeartbeatTime": now, "lastTransitionTime": since}
        )
    memory_kb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024
    capacity = {"cpu": str(os.cpu_count() or 1), "memory": f"{memory_kb}Ki", "pods": "250"}
    return {
        "addresses": [
            {"type": "InternalIP", "address": node.zone.address},
            {"type": "Hostname", "address": node.zone.name},
        ],
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": conditions,
        "nodeInfo": {
            "kernelVersion": platform.release(),
            "osImage": "stormlab",
            "containerRuntimeVersion": "stormlab://1",
            "kubeletVersion": "v1.31.0-stormlab",
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": os.uname().machine,
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
        },
    }


async def _renew(node: NodeContext) -> None:
    name = node.zone.name
    spec = {
        "holderIdentity": name,
        "leaseDurationSeconds": LEASE_S,
        "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    try:
        await node.client.patch(f"{_LEASES}/{name}", {"spec": spec}, MERGE_PATCH)
    except ApiError as error:
        if error.code != 404:
            raise
        metadata = {"name": name, "namespace": "kube-node-lease"}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        await node.client.create(_LEASES, body)
