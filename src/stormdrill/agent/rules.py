"""The nft rules of one fault, as text: a table of its own, made in one transaction and removed by its name.

Forwarded and arriving packets are judged early (priority -150) and leaving ones late (50): there a service
address is already its pod's, and what comes back has not yet been given the service's again. Drops are stateless,
so established flows are cut like new ones and go on after the heal with the translation they had. Each of them
holds only as long as the fault is armed, which ends by itself (`armed`).

The agent's own flow is known by a mark on its sockets; a table that stays (`OWN_TABLE`) copies it to the
connection, so that the answers are known, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from stormdrill.agent import armed
from stormdrill.errors import InputError
from stormdrill.faultspec import ANYWHERE, Direction, FaultKind, NodeTarget

PREFIX = "stormdrill-"
OWN_TABLE = "stormdrill-agent"
MARK = 0x2D000000
_MASK = 0x3F000000
"""Not the bits of kube-proxy (0x4000, 0x8000) nor of the common network plugins' lower half."""
_EVERYTHING = frozenset({ANYWHERE, "::/0"})
_NEIGHBOURS = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept"
_FAMILIES = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}

Endpoint = tuple[str, int]
"""Address and port of an API server."""


def table_of(uid: str) -> str:
    """The name of a fault's table."""
    return PREFIX + uid


def own() -> str:
    """Script that makes the table which marks the agent's connections; harmless when repeated."""
    rule = f"meta mark and {_MASK:#x} == {MARK:#x} ct mark set {MARK:#x}"
    chain = _chain("output", ["type filter hook output priority -160", rule])
    return f"{_fresh(OWN_TABLE)}table inet {OWN_TABLE} {{\n{chain}\n}}\n"


def removal(table: str) -> str:
    """Script that removes a table; harmless when there is none."""
    return _fresh(table)


def script(
    uid: str, kind: FaultKind, targets: Iterable[NodeTarget], left_s: float, api: Iterable[Endpoint] = ()
) -> str:
    """Script that puts the fault's table in place of whatever has its name, at once; it ends in `left_s` seconds.

    `api` are the addresses that stay reachable for a target with `spare_control_plane`. InputError when a target's
    networks are none, or a partition says nothing about what is inside.
    """
    wanted = list(targets)
    sets: list[str] = []
    cut: list[str] = []
    transit: list[str] = []
    counters = ["dropped_in", "dropped_out"]
    if kind is FaultKind.SITE_LOSS:
        cut = [f"{armed.MATCH} counter name dropped drop"]
        counters = ["dropped"]
    else:
        for number, target in enumerate(wanted):
            _partition(number, target, sets, cut, transit)
    spared = _spare(api) if any(target.spare_control_plane for target in wanted) else []
    table = table_of(uid)
    body = [
        *(f"counter {name} {{ }}" for name in counters), *sets, armed.declaration(left_s),
        _chain("spare", spared),
        _chain("own", [f"ct mark and {_MASK:#x} == {MARK:#x} accept", _NEIGHBOURS, "jump spare"]),
        _chain("cut", cut),
        _chain("forward", ["type filter hook forward priority -150", "jump spare", *transit, "jump cut"]),
        _chain("input", ["type filter hook input priority -150", 'iifname "lo" accept', "jump own", "jump cut"]),
        _chain("output", ["type filter hook output priority 50", 'oifname "lo" accept', "jump own", "jump cut"]),
    ]  # fmt: skip
    return f"{_fresh(table)}table inet {table} {{\n" + "\n".join(body) + "\n}\n"


def count(text: str) -> int:
    """How many rules of a script drop."""
    return sum(line.rstrip(" ;}").endswith("drop") for line in text.splitlines())


def _fresh(table: str) -> str:
    return f"table inet {table}\ndelete table inet {table}\n"


def _chain(name: str, lines: Iterable[str]) -> str:
    return "\n".join([f"chain {name} {{", *(f"    {line};" for line in lines), "}"])


def _partition(number: int, target: NodeTarget, sets: list[str], cut: list[str], transit: list[str]) -> None:
    inside, outside = _networks(target.inside), _networks(target.outside)
    if not inside:
        raise InputError(f"the target {target.node} does not say which networks are inside")
    everything = bool(_EVERYTHING.intersection(target.outside)) or not outside
    for version, (family, kind) in _FAMILIES.items():
        within = [str(one) for one in inside if one.version == version]
        beyond = [str(one) for one in outside if one.version == version]
        if not within or not (everything or beyond):
            continue
        here, there = f"inside{number}_{version}", f"outside{number}_{version}"
        sets.append(_set(here, kind, within))
        if not everything:
            sets.append(_set(there, kind, beyond))
        direct, through = _drops(family, here, "" if everything else there, target.directions)
        cut += direct
        transit += through


def _drops(family: str, here: str, there: str, ways: tuple[Direction, ...]) -> tuple[list[str], list[str]]:
    """What goes out and comes in; and what passes through under an address of the node's (a node port)."""
    direct, through = [], []
    for way, mine, other, direction in (
        (Direction.OUT, "saddr", "daddr", "reply"),
        (Direction.IN, "daddr", "saddr", "original"),
    ):
        if way in ways:
            far = f"{family} {other} != @{here}" + (f" {family} {other} @{there}" if there else "")
            drop = f"{armed.MATCH} counter name dropped_{way.value} drop"
            direct.append(f"{family} {mine} @{here} {far} {drop}")
            through.append(f"ct direction {direction} ct original {family} daddr @{here} {far} {drop}")
    return direct, through


def _set(name: str, kind: str, elements: list[str]) -> str:
    return (
        f"set {name} {{ type {kind}; flags interval; auto-merge; elements = {{ {', '.join(elements)} }}; }}"
    )


def _spare(api: Iterable[Endpoint]) -> list[str]:
    """Accept both ways of each connection to one of these: made to it, or translated to it."""
    lines = []
    for host, port in sorted(set(api)):
        address, number = ip_address(host), int(port)
        family = _FAMILIES[address.version][0]
        made_to = f"ct original {family} daddr {address} ct original proto-dst {number}"
        lines += [
            f"meta l4proto tcp {made_to} accept",
            f"{family} daddr {address} tcp dport {number} accept",
            f"{family} saddr {address} tcp sport {number} accept",
        ]
    return lines


def _networks(texts: Iterable[str]) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(text, strict=False) for text in texts]
    except ValueError as error:
        raise InputError(f"not a network: {error}") from None
