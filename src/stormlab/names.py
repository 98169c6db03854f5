"""The name that phones resolve: a process outside every site that answers which edges serve, as a bank's GSLB does.

    GET /names/NAME                       {"name", "ttl_s", "edges": [those that serve], "all": [{"edge", "up",
                                          "drained"}]}
    PUT /names/NAME/edges/EDGE            {"drained": true|false}: an operator's word, kept over restarts

Edges are asked for `check.path` every second, over the links like a phone: out after two failures, back after two
successes. When none is well, all that are not drained are answered: a wrong address is no worse than none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from stormlab.errors import LabError
from stormlab.estate import Estate
from stormlab.net import netns
from stormlab.preset import NamePart
from stormlab.topologyfile import of_state
from stormlab.wait import pause

DIRECTORY = "names"
_EVERY_S = 1.0
_TIMEOUT_S = 1.0
_IN_A_ROW = 2


@dataclass
class Edge:
    """One address behind a name. It counts as well until two checks in a row say otherwise."""

    name: str
    url: str
    drained: bool = False
    up: bool = True
    contrary: int = 0
    """Checks in a row that contradict `up`."""

    def seen(self, well: bool) -> None:
        """Take in one check."""
        self.contrary = 0 if well == self.up else self.contrary + 1
        if self.contrary >= _IN_A_ROW:
            self.up, self.contrary = well, 0


@dataclass
class Name:
    """One name and its edges, in the order of the topology."""

    name: str
    ttl_s: float
    edges: dict[str, Edge] = field(default_factory=dict)

    def answer(self) -> dict[str, Any]:
        """What whoever asks is told."""
        open_ = [edge for edge in self.edges.values() if not edge.drained]
        serving = [edge for edge in open_ if edge.up] or open_
        every = [{"edge": e.name, "up": e.up, "drained": e.drained} for e in self.edges.values()]
        return {
            "name": self.name,
            "ttl_s": self.ttl_s,
            "edges": [edge.name for edge in serving],
            "all": every,
        }


def names_of(estate: Estate, part: NamePart) -> Name:
    """The name with its edges' addresses inside the lab."""
    forwards = {forward.name: forward for forward in estate.forwards}
    edges = {}
    for edge, through in part.edges.items():
        forward = forwards[through]
        site = estate.outside if forward.zone is None else estate.zone(forward.zone)
        edges[edge] = Edge(edge, f"http://{site.address}:{forward.port}{part.path}", edge in part.drained)
    return Name(part.name, part.ttl_s, edges)


class Server:
    """The names, what operators said of their edges, and the HTTP that tells it."""

    def __init__(self, names: dict[str, Name], place: Path) -> None:
        self._names = names
        self._place = place
        place.mkdir(parents=True, exist_ok=True)
        for name in names.values():
            for edge, drained in self._said(name.name).items():
                if edge in name.edges:
                    name.edges[edge].drained = drained

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        return [
            web.get("/names/{name}", self._get),
            web.put("/names/{name}/edges/{edge}", self._put),
        ]

    async def check_for_ever(self) -> None:
        """Ask every edge again and again, all at once."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        connector = aiohttp.TCPConnector(force_close=True)  # a held connection proves nothing about new ones
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            while True:
                edges = [edge for name in self._names.values() for edge in name.edges.values()]
                await asyncio.gather(*(_check(session, edge) for edge in edges), pause(_EVERY_S))

    async def _get(self, request: web.Request) -> web.Response:
        name = self._names.get(request.match_info["name"])
        if name is None:
            return web.json_response({"error": f"no name; known: {', '.join(self._names)}"}, status=404)
        return web.json_response(name.answer())

    async def _put(self, request: web.Request) -> web.Response:
        name = self._names.get(request.match_info["name"])
        edge = name.edges.get(request.match_info["edge"]) if name else None
        if name is None or edge is None:
            return web.json_response({"error": "no such name or edge"}, status=404)
        try:
            drained = (await request.json())["drained"]
        except (ValueError, KeyError, TypeError):
            drained = None
        if not isinstance(drained, bool):
            return web.json_response({"error": 'say {"drained": true} or false'}, status=400)
        edge.drained = drained
        self._keep(name)
        return web.json_response(name.answer())

    def _said(self, name: str) -> dict[str, bool]:
        try:
            return dict(json.loads((self._place / f"{name}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def _keep(self, name: Name) -> None:
        path = self._place / f"{name.name}.json"
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps({e.name: e.drained for e in name.edges.values()}), encoding="utf-8")
        beside.replace(path)


async def _check(session: aiohttp.ClientSession, edge: Edge) -> None:
    try:
        async with session.get(edge.url) as answer:
            well = answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        well = False
    edge.seen(well)


async def _serve(estate: Estate, state: Path) -> None:
    server = Server({part.name: names_of(estate, part) for part in estate.preset.names}, state / DIRECTORY)
    application = web.Application()
    application.add_routes(server.routes())
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    for port in sorted({part.port for part in estate.preset.names}):
        await web.TCPSite(runner, estate.outside.address, port).start()
    await server.check_for_ever()


def main(argv: Sequence[str]) -> int:
    """Entry point: `names --state DIR`."""
    parser = argparse.ArgumentParser(prog="stormlab names", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    state = parser.parse_args(argv).state
    try:
        estate = of_state(state)
        netns.join(estate.outside.netns)
        asyncio.run(_serve(estate, state))
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
