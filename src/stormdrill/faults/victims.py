"""Pods that a fault is about to kill: found by service and zone, drawn by the run's seed, killed, followed.

Shared by every fault that kills pods. A selector that matches nothing is an error.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stormdrill.activities import EACH
from stormdrill.errors import ActionError, TargetError
from stormdrill.estate import Service
from stormdrill.faults import Estate
from stormdrill.faults.deathwatch import DeathWatch
from stormdrill.kube import Cluster, PodRef


@dataclass(frozen=True)
class Victim:
    """One pod and the cluster it runs in."""

    service: Service
    region: str
    cluster: Cluster
    pod: PodRef

    @property
    def path(self) -> str:
        """The pod in the API."""
        return f"/api/v1/namespaces/{self.service.namespace}/pods/{self.pod.name}"

    def describe(self) -> dict[str, Any]:
        """The target as the history keeps it."""
        pod = self.pod
        return {
            "service": self.service.name, "pod": pod.name, "uid": pod.uid,
            "node": pod.node, "zone": pod.zone, "region": self.region,
        }  # fmt: skip


def find(estate: Estate, service: Service, zone: str = "") -> list[Victim]:
    """Every pod of the service (in `zone`), by name."""
    zones = estate.topology.zones
    regions = [zones[zone]] if zone else list(service.regions or estate.topology.regions)
    return [
        Victim(service, region, estate.clusters[region], pod)
        for region in regions
        for pod in estate.clusters[region].pods(service.namespace, service.label_selector, zone or None)
    ]


def draw(estate: Estate, service: Service, zone: str, count: int, share: float | None) -> list[Victim]:
    """`count` ready pods of `zone` (of each zone, or of all), or `share` of them rounded up.

    ActionError when there are not that many.
    """
    if zone == EACH:
        zones = sorted({victim.pod.zone for victim in find(estate, service) if victim.pod.zone})
        if not zones:
            raise ActionError(f"no pod of service {service.name} ({service.label_selector}) in any zone")
        return [victim for name in zones for victim in draw(estate, service, name, count, share)]
    found = find(estate, service, zone)
    where = f"service {service.name} ({service.label_selector})" + (f" in zone {zone}" if zone else "")
    if not found:
        raise ActionError(f"no pod of {where}: nothing to kill")
    ready = [victim for victim in found if victim.pod.ready]
    wanted = math.ceil(len(ready) * share) if share is not None else count
    if not ready or wanted > len(ready):
        raise ActionError(f"{where} has {len(ready)} ready pods, {wanted or 1} wanted: nothing was killed")
    return sorted(estate.choose.sample(ready, wanted), key=lambda victim: victim.pod.name)


def watch_deaths(victims: Sequence[Victim]) -> list[DeathWatch]:
    """Hold a process of ours in every victim; must come before the kill."""
    return [DeathWatch.begin(victim.cluster, victim.service, victim.pod) for victim in victims]


def kill(estate: Estate, name: str, victims: Sequence[Victim]) -> tuple[int, list[Victim], list[str]]:
    """Delete with grace 0, each bound to its uid. Returns t0, who was killed, and what the API refused.

    The intent is on disk before the first delete is sent; t0 is the moment after that. ActionError when no
    pod was killed.
    """
    estate.check_stop()
    estate.record("fault.intended", name=name, targets=[victim.describe() for victim in victims])
    killed, refused = [], []
    t0_ns = time.monotonic_ns()
    for victim in victims:
        try:
            victim.cluster.delete(victim.path, grace_s=0, uid=victim.pod.uid)
        except TargetError as error:
            refused.append(f"{victim.pod.name}: {error}")
        else:
            killed.append(victim)
            estate.record("pod.killed", **victim.describe())
    if not killed:
        raise ActionError("the API refused every kill: " + "; ".join(refused))
    return t0_ns, killed, refused
