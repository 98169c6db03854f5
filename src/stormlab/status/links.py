"""The links of a lab: as the topology has them, as the relay carries them now, and as packets find them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from stormlab.errors import LabError
from stormlab.estate import Estate
from stormlab.net import control, echo, relay
from stormlab.net.echo import Echoes
from stormlab.status.part import Part, Row

_SPARE_S = 0.15
_LONGEST_S = 0.7
"""Waited for the last answer: on a longer link nothing is measured, which is told."""

Pair = frozenset[str]


async def links(estate: Estate, state: Path) -> Part:
    """Every pair of sites. Raises LabError when the relay does not answer: then nothing is carried."""
    answer = await asyncio.to_thread(control.ask, state / relay.SOCKET, {"get": True}, 1.0)
    told: list[Row] = answer["links"]
    measured, troubles = await _measured(estate, told)
    found = []
    for link in told:
        pair = frozenset(link["between"])
        declared = estate.links[pair].to_json() if pair in estate.links else None
        echoes = measured.get(pair, Echoes(0, ()))
        seen = {"rtt_ms": echoes.rtt_ms, "sent": echoes.sent, "answered": len(echoes.rtts_ms)}
        found.append({**link, "declared": declared, "measured": seen})
    return Part({"links": found, "link_carrier": _carrier(answer["implementation"])}, troubles)


def nothing() -> Row:
    """What is known of links when nobody carries them."""
    return {"links": [], "link_carrier": None}


def _carrier(implementation: str) -> str:
    return f"{implementation} relay in user space"


async def _measured(estate: Estate, told: list[Row]) -> tuple[dict[Pair, Echoes], list[str]]:
    """The echoes of each pair, sent from one of its ends, all sites at once."""
    longest_ms = max((link["rtt_ms"] + link["jitter_ms"] for link in told if link["up"]), default=0.0)
    wait_s = min(_LONGEST_S, 1.5 * longest_ms / 1000 + _SPARE_S)
    pairs = [frozenset(link["between"]) for link in told]
    sites = estate.sites
    asked: dict[str, Mapping[str, str]] = {
        one.name: {
            other.name: other.address for other in sites[index + 1 :] if {one.name, other.name} in pairs
        }
        for index, one in enumerate(sites)
    }
    answers = await asyncio.gather(
        *(asyncio.to_thread(echo.measure, site.netns, asked[site.name], wait_s) for site in sites),
        return_exceptions=True,
    )
    found: dict[Pair, Echoes] = {}
    troubles = []
    for site, answer in zip(sites, answers, strict=True):
        if isinstance(answer, LabError):
            troubles.append(str(answer))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found |= {frozenset((site.name, other)): echoes for other, echoes in answer.items()}
    return found, troubles
