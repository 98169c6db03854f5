"""What every part of a node process shares: the estate, its own zone, the API, and the pools it draws on."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from stormlab import cgroup, claimspace
from stormlab.client import ApiError, Client
from stormlab.errors import LabError
from stormlab.estate import Estate, Region, Zone
from stormlab.inventory import Inventory
from stormlab.node.hostpath import NodeFiles
from stormlab.node.podstatus import timestamp

log = logging.getLogger("node")


class AddressPool:
    """Addresses for the pods of a zone. One that was given back is not given out again soon."""

    def __init__(self, network: IPv4Network) -> None:
        self._addresses = [str(address) for address in network.hosts()][1:]
        self._used: set[str] = set()
        self._next = 0

    def take(self, wanted: str | None = None) -> str:
        """A free address, `wanted` if given (an adopted pod has it already). Raises LabError when full."""
        if wanted is not None:
            self._used.add(wanted)
            return wanted
        for _ in self._addresses:
            address = self._addresses[self._next]
            self._next = (self._next + 1) % len(self._addresses)
            if address not in self._used:
                self._used.add(address)
                return address
        raise LabError(f"all {len(self._addresses)} pod addresses of the zone are taken")

    def give_back(self, address: str) -> None:
        """The address is free again."""
        self._used.discard(address)


class Events:
    """Sends Event objects without waiting; what cannot be sent is dropped, as kubelets do."""

    def __init__(self, client: Client, zone: str) -> None:
        self._client = client
        self._zone = zone
        self._sending: set[asyncio.Task[None]] = set()
        self._last: dict[tuple[str, str, str], float] = {}

    def say(self, metadata: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        """Record `reason` about a pod; the same again within 10 s is left out. `kind`: Normal, Warning."""
        key = (metadata["uid"], reason, message)
        now = time.time()
        if len(self._sending) > 100 or now - self._last.get(key, 0.0) < 10:
            return
        self._last = {known: at for known, at in self._last.items() if now - at < 60} | {key: now}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name']}.{secrets.token_hex(8)}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                **{key: metadata[key] for key in ("namespace", "name", "uid")},
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": timestamp(now),
            "lastTimestamp": timestamp(now),
            "source": {"component": "kubelet", "host": self._zone},
        }
        task = asyncio.create_task(self._send(event))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, event: dict[str, Any]) -> None:
        try:
            await self._client.create(f"/api/v1/namespaces/{event['metadata']['namespace']}/events", event)
        except ApiError as error:
            log.debug("event not sent: %s", error)


@dataclass(frozen=True)
class NodeContext:
    """Of one node process."""

    estate: Estate
    region: Region
    zone: Zone
    state: Path
    client: Client
    inventory: Inventory
    addresses: AddressPool
    events: Events

    def pod_directory(self, uid: str) -> Path:
        """Where everything about a pod is kept."""
        return self.state / "pods" / uid

    @property
    def files(self) -> NodeFiles:
        """What `hostPath` volumes of this node show."""
        groups = cgroup.zone_path(self.estate.cgroup, self.zone.name)
        return NodeFiles(self.state / "nodes" / self.zone.name / "disk", groups)

    @property
    def claims(self) -> Path:
        """Where persistent volumes of this region are kept: both regions may name one alike."""
        return self.state / claimspace.DIRECTORY / self.region.name
