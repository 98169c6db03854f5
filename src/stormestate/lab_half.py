"""The lab's half of the full topology: addresses, forwards, names, secrets, and what ready means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from stormestate import notes, roles
from stormestate.nodes import made
from stormestate.ports import (
    EDGE_NODE_PORT,
    EDGE_TLS_NODE_PORT,
    NAMES_OUTSIDE,
    PROMETHEUS_OUTSIDE,
    patroni_node_port,
    postgres_node_port,
)
from stormestate.shape import EDGE_TLS, NAMESPACE, PHONES_NAME, Cell, Ports, Shape, Site

_IMAGES: dict[str, Any] = {
    "stormbank:dev": {},
    # Each member reserves 64 MB for its log, and as much again in advance: of memory, here.
    "etcd:3.4": {"reserves": False},
    "patroni:4.1": {"path": ["/usr/lib/postgresql/15/bin"]},
    "stormarchive:dev": {"path": ["/usr/lib/postgresql/15/bin"]},
    "haproxy:2.6": {},
    "stormdrill:dev": {},
}
_SECRETS = (
    ("postgres", ["superuser-password", "replication-password", "bank-password", "auditor-password"]),
    ("bank", ["BANK_TOKEN_SECRET"]),
)
# What `stormdrill lab status` shows beyond the lab itself, asked of its Prometheus.
_SERVED = 'sum by (zone) (rate(bank_requests_total{service="gateway"'
# Of each zone that has gateways: those that nobody asked yet export no such counter.
_ASKED = f'{_SERVED}}}[5s])) or 0 * sum by (zone) (up{{app="gateway"}})'
_STATUS = {
    "requests/s by zone": _ASKED,
    "share of traffic by zone, %": f"100 * ({_ASKED}) / on () group_left () (sum({_ASKED}) > 0)",
    "not served by zone, %": f'100 * (1 - {_SERVED},code=~"2.."}}[5s])) / ({_SERVED}}}[5s])) > 0))',
    "behind the primary, bytes": "sum by (pod) (clamp_min(max by (cell) (patroni_xlog_location) - on (cell) "
    "group_right () max by (cell, pod) (patroni_xlog_replayed_location > 0), 0))",
    "archive behind, s": 'time() - max by (pod) (archive_whole_until_seconds{app="archive"} > 0)',
    "epoch by cell": " or ".join(
        f'label_replace(max by (cell) (bank_cell_{of}), "of", "{of}", "cell", ".*")'
        for of in ("promotion", "version")
    ),
    "alerts firing": 'sum by (alertname) (ALERTS{alertstate="firing"})',
}


def block(shape: Shape, ports: Ports, at: yaml.Node, certificate: Mapping[str, Any]) -> dict[str, Any]:
    """Everything of `lab` that follows from the shape; `at` is where the file says `lab`.

    `certificate` is what the file says of the edges' own.
    """
    return {
        "api_ports": {region.name: made(ports.api[region.name], region.at) for region in shape.regions},
        "images": _IMAGES,
        "secrets": [
            *({"namespace": NAMESPACE, "name": name, "keys": keys} for name, keys in _SECRETS),
            {"namespace": NAMESPACE, "name": EDGE_TLS, "tls": ["127.0.0.1", "localhost", PHONES_NAME]}
            | dict(certificate),
        ],
        "forwards": _forwards(shape, ports, at),
        "names": [_name(shape)],
        **({"outside": _outside(ports, at)} if roles.PARTIES else {}),
        "ready": _ready(shape, at),
        "status": [{"name": name, "query": query} for name, query in _STATUS.items()],
        "notes": list(notes.of(shape)),
    }


def _forwards(shape: Shape, ports: Ports, at: yaml.Node) -> list[yaml.Node]:
    edges = (("edge", ports.edge, EDGE_NODE_PORT), ("edge-tls", ports.edge_tls, EDGE_TLS_NODE_PORT))
    found = [
        made(
            {
                "name": f"{kind}-{zone.name}",
                "listen": listen[zone.name],
                "zone": zone.name,
                "node_port": node_port,
            },
            zone.at,
        )
        for kind, listen, node_port in edges
        for _, zone in shape.serving
    ]
    outside = [("prometheus", ports.prometheus, PROMETHEUS_OUTSIDE), ("names", ports.names, NAMES_OUTSIDE)]
    outside += [
        (name, ports.parties[name], there)
        for party in roles.PARTIES
        for name, there in party.ports.items()
        if name != party.name
    ]
    found += [
        made({"name": name, "listen": port, "outside_port": there}, at) for name, port, there in outside
    ]
    for kind, listen, node_port in (
        ("patroni", ports.patroni, patroni_node_port),
        ("postgres", ports.postgres, postgres_node_port),
    ):
        for cell, zone, number in _members(shape):
            entry = {"name": f"{kind}{cell.suffix}-{zone}", "listen": listen[cell.set_in(zone)], "zone": zone}
            found.append(made(entry | {"node_port": node_port(cell.number, number)}, cell.at))
    return found


def _members(shape: Shape) -> list[tuple[Cell, str, int]]:
    """Every member of every cell: cell, zone, and the zone's number in its region."""
    return [
        (cell, zone.name, zone.number)
        for cell in shape.cells
        for site in cell.sites
        for zone in shape.region(site.region).serving
        if zone.name in site.zones
    ]


def _name(shape: Shape) -> dict[str, Any]:
    """The name that phones resolve: an edge of a region where no cell is at home only by an operator's word."""
    drained = [zone.name for region, zone in shape.serving if region.name not in shape.homes]
    edges = {zone.name: made(f"edge-{zone.name}", zone.at) for _, zone in shape.serving}
    found = {"name": PHONES_NAME, "port": NAMES_OUTSIDE, "ttl": "5s", "check": {"path": "/readyz"}}
    return found | {"edges": edges} | ({"drained": drained} if drained else {})


def _outside(ports: Ports, at: yaml.Node) -> list[yaml.Node]:
    """The firms that the bank asks, each with a port on loopback: phones read their SMS there, drills slow one down."""
    return [
        made(
            {
                "name": party.name,
                "image": "stormbank:dev",
                "command": [
                    "python",
                    "-m",
                    "stormbank",
                    party.name,
                    "--host",
                    "$(ADDRESS)",
                    "--port",
                    "$(PORT)",
                ],
                "port": party.port,
                "forward": ports.parties[party.name],
            }
            | ({"env": dict(party.env)} if party.env else {}),
            at,
        )
        for party in roles.PARTIES
    ]


def _ready(shape: Shape, at: yaml.Node) -> list[yaml.Node]:
    found = []
    for cell in shape.cells:
        selector = "app=pg" if len(shape.cells) == 1 else f"app=pg,cell={cell.name}"
        for site in cell.sites:
            entry = {"patroni": selector, "region": site.region, "port": 8008, "expect": _roles(cell, site)}
            found.append(made(entry, cell.at))
    found += [
        made({"http": f"edge-{zone.name}", "path": "/readyz"}, zone.at)
        for region, zone in shape.serving
        if region.name in shape.homes
    ]
    found += [made({"http": party.name, "path": "/livez"}, at) for party in roles.PARTIES]
    return [*found, made({"prometheus": "prometheus"}, at)]


def _roles(cell: Cell, site: Site) -> list[str]:
    first = ["leader", "sync_standby"][: len(site.zones)] if site == cell.home else ["standby_leader"]
    return first + ["replica"] * (len(site.zones) - len(first))
