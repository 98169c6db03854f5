"""Ports on loopback. One base gives them all, and what there is keeps its own when a zone or cell comes last.

Every region has a block of 500, in the order of the file; the block before the first is the outside's:

    base + 53, base + 90               the name that phones resolve; Prometheus
    base + 101, 102, 103               SMS, face recognition, clearing (what listens on 8000 + n outside has base + n)
    base + 111, 112, 113               where people trouble each of them
    base + 500 r                       API of the r-th region
    base + 500 r + z                   edge of its z-th serving zone (1 to 9)
    base + 500 r + 20 (c + 1) + z      PostgreSQL of the c-th cell (from 0) in that zone
    base + 500 r + 20 (c + 1) + 10 + z its Patroni

A port that is stated wins. Node ports, which only the lab's own addresses have: 30540 + 10 c + z and 30810 + 10 c + z.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from stormestate import roles
from stormestate.place import Place, known_as
from stormestate.shape import Ports, Shape

EDGE_NODE_PORT = 30080
NAMES_OUTSIDE, PROMETHEUS_OUTSIDE = 9053, 9090
_BLOCK, _CELL, _PATRONI = 500, 20, 10
_KINDS = ("api", "edge", "postgres", "patroni")
_OUTSIDE = {"names": 53, "prometheus": 90}
_PARTIES = 8000
"""Of the port outside that a firm listens on."""


def outside(network: str) -> str:
    """The address outside every site in a lab of that network, its first; empty when it is none."""
    try:
        return str(IPv4Network(network)[1])
    except (ValueError, IndexError):  # the lab says so
        return ""


def postgres_node_port(cell: int, zone: int) -> int:
    """Of a cell's member in the region's `zone`-th serving zone."""
    return 30540 + 10 * cell + zone


def patroni_node_port(cell: int, zone: int) -> int:
    """The same for its Patroni."""
    return 30810 + 10 * cell + zone


@dataclass
class _Given:
    """What the file says, and what was given out."""

    place: Place
    base: int | None
    stated: Mapping[str, Mapping[str, Place]]
    taken: dict[int, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def port(self, kind: str, name: str, offset: int) -> int:
        """The port of one thing; clashes are reported where the later one is stated."""
        stated = self.stated.get(kind, {}).get(name)
        if stated is not None:
            port = stated.port()
        elif self.base is not None:
            port = self.base + offset
        else:
            self.missing.append(f"{kind} {name}".strip())
            return 0
        self._take(port, f"{kind} {name}".strip(), stated or self.place)
        return port

    def _take(self, port: int, what: str, place: Place) -> None:
        if port > 65535:
            place.problem(f"{what} would have port {port}: choose a lower base")
        holder = self.taken.setdefault(port, what)
        if port and holder != what:
            place.problem(f"port {port} is {holder}'s and {what}'s: give one of them another")


def read(place: Place, shape: Shape) -> Ports:
    """`lab.ports`: one number, or a mapping of `base` and of stated ports. Problems go to the places."""
    given = _given(place)
    wanted = {kind: dict(_offsets(kind, shape)) for kind in _KINDS}
    for kind, things in wanted.items():
        for name, stated in given.stated.get(kind, {}).items():
            if name not in things:
                stated.problem(known_as(kind, name, things))
    stands = {name: given.port(name, "", offset) for name, offset in _outside().items()}
    api, edge, postgres, patroni = (
        {name: given.port(kind, name, offset) for name, offset in wanted[kind].items()} for kind in _KINDS
    )
    if given.missing and place.present:
        place.problem(
            f"no port for {', '.join(given.missing)}: state it, or give a 'base' from which it follows"
        )
    parties = {name: stands[name] for party in roles.PARTIES for name in party.ports}
    return Ports(stands["prometheus"], stands["names"], api, edge, postgres, patroni, parties)


def _given(place: Place) -> _Given:
    if place.node is None or not isinstance(place.node.value, list):
        return _Given(place, place.port() if place.present else None, {})
    fields = place.fields(("base", *_outside(), *_KINDS))
    base = fields["base"].port() if fields["base"].present else None
    stated = {kind: fields[kind].items() for kind in _KINDS}
    stated |= {name: {"": fields[name]} for name in _outside() if fields[name].present}
    return _Given(place, base, stated)


def _outside() -> dict[str, int]:
    """What is outside every site, with its offset from the base."""
    return _OUTSIDE | {name: port - _PARTIES for party in roles.PARTIES for name, port in party.ports.items()}


def _offsets(kind: str, shape: Shape) -> Iterator[tuple[str, int]]:
    """Everything of a kind that needs a port, with its offset from the base."""
    for region in shape.regions:
        block = _BLOCK * region.number
        if kind == "api":
            yield region.name, block
        elif kind == "edge":
            yield from ((zone.name, block + zone.number) for zone in region.serving)
        else:
            number = {zone.name: zone.number for zone in region.serving}
            for cell, site in shape.cells_in(region.name):
                first = block + _CELL * (cell.number + 1) + (_PATRONI if kind == "patroni" else 0)
                yield from ((cell.set_in(zone), first + number[zone]) for zone in site.zones)
