"""When the lab is ready: conditions asked again and again, each saying what is still missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stormlab import observe, outside
from stormlab.client import ApiError, Client
from stormlab.errors import LabError
from stormlab.estate import Estate
from stormlab.manifests import Object, identity, workloads
from stormlab.preset import HttpReady, PatroniReady, PrometheusReady, ReadyPart

Clients = Mapping[str, Client]
"""By region."""
Manifests = Mapping[str, list[Object]]
"""By region."""


async def missing(estate: Estate, clients: Clients, manifests: Manifests) -> list[str]:
    """What is still missing, one line each; empty means ready. Workloads come first."""
    found: list[str] = []
    for region, objects in manifests.items():
        found += await _workloads(region, clients[region], workloads(objects))
    if found:
        return found
    for part in estate.preset.ready:
        try:
            found += await _part(estate, clients, part)
        except (LabError, ApiError) as error:
            found.append(str(error))
    return found


async def _workloads(region: str, client: Client, parts: list[Object]) -> list[str]:
    try:
        live = await observe.workloads(client, {part["kind"] for part in parts})
    except ApiError as error:
        return [f"{region}: {error}"]
    troubles = {identity(part): _unready(part["kind"], live.get(observe.key_of(part))) for part in parts}
    return [f"{region}: {name}: {trouble}" for name, trouble in troubles.items() if trouble]


def _unready(kind: str, live: Mapping[str, Any] | None) -> str:
    """What a workload lacks; empty when all it wants is ready in its present version."""
    if live is None:
        return "is not there"
    status, generation = live.get("status") or {}, live["metadata"].get("generation", 0)
    if status.get("observedGeneration", 0) < generation:
        return "not yet seen by its controller"
    if kind == "DaemonSet":
        wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
        updated = status.get("updatedNumberScheduled", 0)
    else:
        wanted, ready = live["spec"].get("replicas", 1), status.get("readyReplicas", 0)
        updated = status.get("updatedReplicas", 0)
    if updated < wanted:
        return f"{updated} of {wanted} pods are of the present version"
    return "" if ready == wanted else f"{ready} of {wanted} pods ready"


async def _part(estate: Estate, clients: Clients, part: ReadyPart) -> list[str]:
    match part:
        case PatroniReady():
            members = await observe.patroni(estate, clients[part.region], part.selector, part.port)
            return list(_roles(part, members))
        case HttpReady():
            status, _ = await outside.through_forward(_port(estate, part.forward), part.path)
            return [] if status == 200 else [f"{part.forward}{part.path} answers {status}"]
        case PrometheusReady():
            return await _scraping(estate, clients, part)


def _roles(part: PatroniReady, members: list[observe.Member]) -> Iterator[str]:
    """Roles of which there are fewer well members than expected."""
    for role in dict.fromkeys(part.expect):
        well = [member for member in members if member.role == role and member.well]
        if len(well) < part.expect.count(role):
            seen = ", ".join(f"{member.name} {member.role} {member.state}" for member in members)
            yield f"{part.region}: no {role.replace('_', ' ')} yet ({seen or 'no members'})"


async def _scraping(estate: Estate, clients: Clients, part: PrometheusReady) -> list[str]:
    health = await observe.targets(_port(estate, part.forward))
    found = []
    for region, client in clients.items():
        for pod in filter(observe.scraped, await observe.pods(client)):
            meta = pod["metadata"]
            if health.get((meta["namespace"], meta["name"])) != "up":
                found.append(f"{region}: Prometheus does not scrape pod {meta['name']} yet")
    return found


def _port(estate: Estate, forward: str) -> int:
    return next(entry.listen for entry in estate.forwards if entry.name == forward)
