"""Databases as Patroni tells them: each member's role (synchronous or not), state, timeline and lag."""

from __future__ import annotations

import asyncio

from stormlab import observe, outside
from stormlab.client import Client
from stormlab.errors import LabError
from stormlab.estate import Estate
from stormlab.observe import Member
from stormlab.preset import PatroniReady
from stormlab.status.part import Part, Row

_TIMEOUT_S = 0.8


def asked(estate: Estate) -> list[PatroniReady]:
    """Those that `lab.ready` names, each once."""
    parts = [part for part in estate.preset.ready if isinstance(part, PatroniReady)]
    return list({(part.region, part.selector, part.port): part for part in parts}.values())


def nothing() -> Row:
    """What is known when no member answers."""
    return {"databases": []}


async def databases(estate: Estate, client: Client, part: PatroniReady) -> Part:
    """Members of every scope that the selected pods belong to. Raises LabError when none of them answers."""
    pods = [pod for pod in await observe.pods(client, part.selector) if pod.get("status", {}).get("podIP")]
    if not pods:
        raise LabError(f"no pod with {part.selector}")
    addresses = [pod["status"]["podIP"] for pod in pods]
    answers = await asyncio.gather(*(_cluster(estate, address, part.port) for address in addresses))
    by_scope: dict[str, list[Member]] = {}
    for members in answers:
        for member in members or ():
            if member not in by_scope.setdefault(member.scope, []):
                by_scope[member.scope].append(member)
    found = [_row(part.region, member) for members in by_scope.values() for member in _latest(members)]
    if not found:
        raise LabError(f"none of {len(pods)} members of {part.selector} answers")
    return Part({"databases": found})


async def _cluster(estate: Estate, address: str, port: int) -> list[Member] | None:
    """What a member says of its scope; None when it does not answer, as one that is cut off."""
    netns = estate.outside.netns
    try:
        status, body = await outside.from_outside(netns, address, port, "/cluster", _TIMEOUT_S)
        return observe.members(outside.parsed(body, f"Patroni at {address}")) if status == 200 else None
    except LabError:
        return None


def _latest(members: list[Member]) -> list[Member]:
    """One of each name: members that were asked at different moments may tell it differently."""
    return list({member.name: member for member in members}.values())


def _row(region: str, member: Member) -> Row:
    return {"region": region, **vars(member)}
