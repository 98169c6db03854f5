"""What Prometheus scrapes: a process that watches pods through the APIs and writes a target file per region.

Debian's Prometheus is built without Kubernetes discovery. This gives it the same targets with the same
labels, by its file discovery: pods annotated `prometheus.io/scrape: "true"` that have an address. A region
whose API is away keeps its last targets, as in Kubernetes discovery.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stormlab.client import SYNCED, Client
from stormlab.errors import LabError
from stormlab.regions import clients
from stormlab.topologyfile import of_state
from stormlab.wait import pause

DIRECTORY = "prometheus/targets"
_NOTE = "prometheus.io/"
_ZONE = "topology.kubernetes.io/zone"
_ENDED = ("Succeeded", "Failed")
# Changes come in bursts; Prometheus reads the file once per write.
_COALESCE_S = 0.1

Pod = Mapping[str, Any]


def target_of(region: str, pod: Pod, zones: Mapping[str, str]) -> dict[str, Any] | None:
    """One entry of the target file; None for a pod that is not to be scraped (yet, or any more)."""
    meta, status = pod["metadata"], pod.get("status", {})
    notes = meta.get("annotations") or {}
    port = notes.get(f"{_NOTE}port", "")
    if notes.get(f"{_NOTE}scrape") != "true" or not port.isdecimal():
        return None
    if not status.get("podIP") or status.get("phase") in _ENDED:
        return None
    node, own = pod.get("spec", {}).get("nodeName", ""), meta.get("labels") or {}
    labels = {
        "region": region,
        "zone": zones.get(node, ""),
        "node": node,
        "namespace": meta["namespace"],
        "pod": meta["name"],
        "app": own.get("app", ""),
        "__metrics_path__": notes.get(f"{_NOTE}path", "/metrics"),
    }
    if "cell" in own:
        labels["cell"] = own["cell"]
    if f"{_NOTE}interval" in notes:
        labels["__scrape_interval__"] = notes[f"{_NOTE}interval"]
    return {"targets": [f"{status['podIP']}:{port}"], "labels": labels}


class Region:
    """Pods and nodes of one region, and the file they lead to."""

    def __init__(self, name: str, client: Client, directory: Path) -> None:
        self._name = name
        self._client = client
        self._file = directory / f"{name}.json"
        self._pods: dict[str, Pod] = {}
        self._zones: dict[str, str] = {}
        self._synced: set[str] = set()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Watch for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_nodes())
            group.create_task(self._watch_pods())
            group.create_task(self._write())

    async def _events(self, path: str) -> AsyncIterator[tuple[str, Any]]:
        async for kind, item in self._client.watch(path):
            if kind == SYNCED:
                self._synced.add(path)
            else:
                yield kind, item
            self._changed.set()

    async def _watch_nodes(self) -> None:
        async for kind, node in self._events("/api/v1/nodes"):
            if kind != "DELETED":
                meta = node["metadata"]
                self._zones[meta["name"]] = (meta.get("labels") or {}).get(_ZONE, "")

    async def _watch_pods(self) -> None:
        async for kind, pod in self._events("/api/v1/pods"):
            if kind == "DELETED":
                self._pods.pop(pod["metadata"]["uid"], None)
            else:
                self._pods[pod["metadata"]["uid"]] = pod

    async def _write(self) -> None:
        """Write the file when it would differ, once everything has been listed."""
        written = None
        while True:
            await self._changed.wait()
            await pause(_COALESCE_S)
            self._changed.clear()
            if len(self._synced) < 2:  # nodes and pods
                continue
            found = [target_of(self._name, pod, self._zones) for pod in self._pods.values()]
            entries = sorted((entry for entry in found if entry), key=lambda entry: entry["targets"])
            text = json.dumps(entries, indent=1, sort_keys=True)
            if text != written:
                beside = self._file.with_suffix(".new")
                beside.write_text(text, encoding="utf-8")
                beside.replace(self._file)
                written = text


async def _run(state: Path) -> None:
    estate = of_state(state)
    directory = state / DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    async with clients(estate, state) as by_region, asyncio.TaskGroup() as group:
        for name, client in by_region.items():
            group.create_task(Region(name, client, directory).run())


def main(argv: Sequence[str]) -> int:
    """`targets --state DIR`: keep the target files of that lab, until killed."""
    parser = argparse.ArgumentParser(prog="stormlab targets", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    code = 0
    try:
        asyncio.run(_run(parser.parse_args(argv).state))
    except* LabError as errors:
        print(*errors.exceptions, sep="\n", file=sys.stderr)
        code = 1
    return code
