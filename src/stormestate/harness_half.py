"""The harness's half of the full topology: edges, services, cells, databases, and who reads the books."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from stormestate import roles
from stormestate.nodes import made
from stormestate.shape import EDGE_TLS, NAMESPACE, PHONES_NAME, Cell, Ports, Shape, Site, slot

_CRASH = 'kill -KILL "$(head -n 1 /var/lib/postgresql/pgroot/data/postmaster.pid)"'
"""The postmaster dies at once, and with it every backend."""
_FENCE = {
    "edges": {
        "selector": {"app": "edge"},
        "container": "haproxy",
        "socket": "/run/haproxy/admin.sock",
        "backend": "gateways",
    }
}


def defaults(shape: Shape, ports: Ports, *, secured: bool = False) -> dict[str, Any]:
    """Every section that follows from the shape or is the reference bank's own; what a file says wins."""
    return {
        "namespace": NAMESPACE,
        "edges": {z.name: made(_edge(z.name, shape, ports, secured=secured), z.at) for _, z in shape.serving},
        "resolver": {"url": f"http://127.0.0.1:{ports.names}/names/{PHONES_NAME}"},
        "canaries": {"metric": "stormdrill_canary_up"},
        "services": _services(shape),
        "cells": {cell.name: made(_customers(cell, shape), cell.at) for cell in shape.cells},
        "databases": {cell.name: made(_database(cell, shape, ports), cell.at) for cell in shape.cells},
        "fence": _FENCE,
        "lock": {"namespace": NAMESPACE, "name": "stormdrill"},
    }


def _edge(zone: str, shape: Shape, ports: Ports, *, secured: bool) -> Any:
    """Where phones go; with TLS also who signs for it, read in a region where customers are served from the start."""
    if not secured:
        return f"http://127.0.0.1:{ports.edge[zone]}"
    region = next(iter(shape.homes), "none")
    secret = {"region": region, "namespace": NAMESPACE, "name": EDGE_TLS, "key": "ca.crt"}
    return {"url": f"https://127.0.0.1:{ports.edge_tls[zone]}", "ca": {"secret": secret}}


def audit(shape: Shape, ports: Ports, at: yaml.Node) -> dict[str, Any]:
    """Where the books of each cell are read: whichever of its members takes writes."""
    found: dict[str, Any] = {"kind": "sql"}
    if len(shape.cells) == 1:
        found["dsn"] = made(
            _dsn(shape.cells[0], shape.cells[0].sites, ports, read_write=True), shape.cells[0].at
        )
    else:
        found["cells"] = {
            cell.name: made({"dsn": _dsn(cell, cell.sites, ports, read_write=True)}, cell.at)
            for cell in shape.cells
        }
    region = next(iter(shape.homes), "none")
    return found | {"password": made(_password(region), at)}


def prometheus_url(ports: Ports) -> str:
    """Where the harness asks the lab's Prometheus."""
    return f"http://127.0.0.1:{ports.prometheus}"


def _services(shape: Shape) -> dict[str, Any]:
    homes = list(shape.homes)
    found: dict[str, Any] = {
        "gateway": {"selector": {"app": "gateway"}, "type": "flow", "regions": homes},
        "ledger": {"selector": {"app": "ledger"}, "type": "account", "regions": homes},
        "database": {"selector": {"app": "pg"}, "type": "account", "container": "postgres"},
    }
    for role in roles.ROLES:
        found[role.name] = {"selector": {"app": role.name}, "type": role.system_type, "regions": homes}
    if len(shape.cells) > 1:
        for cell in shape.cells:
            selector = {"app": "pg", "cell": cell.name}
            found[_service_of(cell, shape)] = made(
                {"selector": selector, "type": "account", "container": "postgres"}, cell.at
            )
    return found


def _service_of(cell: Cell, shape: Shape) -> str:
    return "database" if len(shape.cells) == 1 else f"database-{cell.name}"


def _customers(cell: Cell, shape: Shape) -> dict[str, Any]:
    """Which customers are the cell's, as the bank counts them."""
    if len(shape.cells) == 1:
        return {}
    return {"customers": {"of": len(shape.cells), "remainder": cell.number}}


def _database(cell: Cell, shape: Shape, ports: Ports) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": "patroni",
        "service": _service_of(cell, shape),
        "container": "postgres",
        "members": _members(cell, cell.home, ports),
        "crash": ["sh", "-c", _CRASH],
    }
    if cell.remotes:
        remote = cell.remotes[0]
        found["home"] = _site(cell, cell.home, ports)
        found["standby"] = _site(cell, remote, ports) | {"members": _members(cell, remote, ports)}
        found["password"] = _password(remote.region)
    return found


def _site(cell: Cell, site: Site, ports: Ports) -> dict[str, Any]:
    return {
        "region": site.region,
        "address": ",".join(cell.host_in(zone, site.region) for zone in site.zones),
        "slot": slot(site.region),
        "dsn": _dsn(cell, [site], ports),
    }


def _members(cell: Cell, site: Site, ports: Ports) -> dict[str, str]:
    return {cell.pod_in(zone): f"http://127.0.0.1:{ports.patroni[cell.set_in(zone)]}" for zone in site.zones}


def _dsn(cell: Cell, sites: Iterable[Site], ports: Ports, *, read_write: bool = False) -> str:
    members = [ports.postgres[cell.set_in(zone)] for site in sites for zone in site.zones]
    hosts, numbers = ",".join("127.0.0.1" for _ in members), ",".join(map(str, members))
    attributes = " target_session_attrs=read-write" if read_write else ""
    return f"host={hosts} port={numbers} dbname=bank user=auditor{attributes} connect_timeout=3"


def _password(region: str) -> dict[str, Any]:
    """The secret is the same in every region; it is read in one that the DSN's database can outlive."""
    return {
        "secret": {"region": region, "namespace": NAMESPACE, "name": "postgres", "key": "auditor-password"}
    }
