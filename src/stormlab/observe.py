"""Questions to a running lab: workloads and pods through its API, databases and targets over HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from stormlab import outside
from stormlab.client import Client
from stormlab.errors import LabError
from stormlab.estate import Estate
from stormlab.manifests import Object

_KINDS = {"StatefulSet": "statefulsets", "Deployment": "deployments", "DaemonSet": "daemonsets"}

Key = tuple[str, str, str]
"""Kind, namespace and name."""


@dataclass(frozen=True)
class Member:
    """One database node as Patroni tells it."""

    scope: str
    name: str
    role: str
    state: str
    timeline: int | None
    lag_bytes: int | None

    @property
    def well(self) -> bool:
        """Running as a leader, or streaming as a standby."""
        return self.state == ("running" if self.role == "leader" else "streaming")


def key_of(part: Object) -> Key:
    """What identifies a workload of the manifests."""
    meta = part["metadata"]
    return part["kind"], meta.get("namespace", "default"), meta["name"]


async def workloads(client: Client, kinds: Iterable[str]) -> dict[Key, Mapping[str, Any]]:
    """All workloads of these kinds as the API has them now."""
    found: dict[Key, Mapping[str, Any]] = {}
    for kind in kinds:
        for item in await client.list(f"/apis/apps/v1/{_KINDS[kind]}"):
            found[kind, item["metadata"]["namespace"], item["metadata"]["name"]] = item
    return found


async def pods(client: Client, selector: str = "") -> list[Mapping[str, Any]]:
    """Pods of all namespaces that a label selector picks."""
    query = f"?labelSelector={quote(selector)}" if selector else ""
    listed = await client.get(f"/api/v1/pods{query}")
    return list(listed["items"])


def pod_ready(pod: Mapping[str, Any]) -> bool:
    """Whether its Ready condition holds."""
    conditions = pod.get("status", {}).get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def pod_trouble(pod: Mapping[str, Any]) -> str:
    """Why a pod is not ready, in a few words."""
    status = pod.get("status", {})
    for container in status.get("containerStatuses") or []:
        waiting = container.get("state", {}).get("waiting")
        if waiting:
            return " ".join(filter(None, (waiting.get("reason"), waiting.get("message"))))
    for entry in status.get("conditions") or []:
        if entry["type"] == "PodScheduled" and entry["status"] != "True":
            return " ".join(filter(None, (entry.get("reason"), entry.get("message"))))
    return str(status.get("reason") or status.get("phase") or "unknown")


async def patroni(estate: Estate, client: Client, selector: str, port: int) -> list[Member]:
    """Members of the scope that the selected pods form, as the first of them that answers tells it.

    Raises LabError when none answers.
    """
    trouble = f"no pod with {selector}"
    for pod in await pods(client, selector):
        address = pod.get("status", {}).get("podIP")
        if not address:
            continue
        try:
            status, body = await outside.from_outside(estate.outside.netns, address, port, "/cluster")
            if status == 200:
                return members(outside.parsed(body, f"Patroni of {pod['metadata']['name']}"))
            trouble = f"Patroni of {pod['metadata']['name']} answers {status}"
        except LabError as error:
            trouble = str(error)
    raise LabError(trouble)


def members(cluster: Mapping[str, Any]) -> list[Member]:
    """The members in an answer of Patroni's `/cluster`."""
    return [
        Member(
            scope=str(cluster.get("scope", "")),
            name=entry["name"],
            role=entry["role"],
            state=entry.get("state", "unknown"),
            timeline=entry.get("timeline"),
            lag_bytes=entry["lag"] if isinstance(entry.get("lag"), int) else None,
        )
        for entry in cluster.get("members", [])
    ]


async def targets(port: int) -> dict[tuple[str, str], str]:
    """Health of each scraped pod by (namespace, pod), from Prometheus behind a forward."""
    _, body = await outside.through_forward(port, "/api/v1/targets?state=active")
    active = outside.parsed(body, "Prometheus")["data"]["activeTargets"]
    return {
        (entry["labels"].get("namespace", ""), entry["labels"]["pod"]): entry["health"]
        for entry in active
        if "pod" in entry["labels"]
    }


def scraped(pod: Mapping[str, Any]) -> bool:
    """Whether the pod asks to be scraped."""
    notes = pod["metadata"].get("annotations") or {}
    return bool(notes.get("prometheus.io/scrape") == "true")
