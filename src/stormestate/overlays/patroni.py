"""Patroni's settings of one cell in one region: what it is called and votes with, and how it is founded."""

from __future__ import annotations

from typing import Any

from stormestate.overlays.text import document
from stormestate.shape import Cell, Region, Shape, Site, slot

_SHARED_MB = 768
"""The lab's volumes are the machine's memory: so much log all members together may keep, and as much for slots."""
_LEAST_MB = 64
_REMOTE = """\
The remote standby cluster of {cell}. The log reaches this site without anybody waiting for it, so at a failover at
home it may have more than the member that is promoted there. Patroni brings a standby cluster back from that by
rewind or not at all. What is rewound was never acknowledged (docs/decisions/0011). Members at home keep to base
backups."""


def settings_key(cell: Cell) -> str:
    """Its key in the ConfigMap `patroni`."""
    return f"region-{cell.name}.yml"


def founding_key(cell: Cell) -> str:
    """Of how it is founded."""
    return f"bootstrap-{cell.name}.yml"


def settings(shape: Shape, region: Region, cell: Cell, site: Site) -> str:
    """Scope and etcd. Scopes differ between regions, and so do the names of members."""
    postgresql: dict[str, Any] = {"parameters": {"max_wal_size": f"{_log_mb(shape)}MB"}}
    if site == cell.home:
        title = f"Where {cell.name} is at home."
    else:
        title = _REMOTE.format(cell=cell.name)
        postgresql = {"use_pg_rewind": True} | postgresql
    body = {
        "scope": cell.scope(site),
        "name_space": "/bank/",
        "etcd3": {"hosts": [f"etcd-{zone}-0.etcd:2379" for zone in region.etcd]},
        "tags": {},
        "postgresql": postgresql,
    }
    return document(title, body)


def founding(shape: Shape, cell: Cell, site: Site) -> str:
    """How the database is founded; read once, afterwards these settings live in etcd and change through Patroni."""
    dcs: dict[str, Any] = {
        # ttl 20 is Patroni's least: a lost node is not replaced sooner. loop_wait + 2 * retry_timeout <= ttl.
        "ttl": 20,
        "loop_wait": 1,
        "retry_timeout": 3,
        "maximum_lag_on_failover": 1048576,
        # A crashed PostgreSQL under a living Patroni gets this long to start again before the standby takes over.
        "primary_start_timeout": 10,
        "synchronous_mode": True,
        "synchronous_node_count": 1,
        "postgresql": {"parameters": _parameters(shape)},
    }
    body: dict[str, Any] = {"dcs": dcs}
    if site == cell.home:
        if cell.remotes:
            dcs["slots"] = {slot(remote.region): {"type": "physical"} for remote in cell.remotes}
        # A fresh database needs no flush to disk, and small segments spare its standbys megabytes of zeros.
        sparing = ["no-sync", {"wal-segsize": "4"}]
        trust = [{"auth-host": "scram-sha-256"}, {"auth-local": "trust"}]
        body["initdb"] = [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums", *sparing, *trust]
    else:
        dcs["standby_cluster"] = {
            "host": source(cell),
            "port": 5432,
            "primary_slot_name": slot(site.region),
            "create_replica_methods": ["basebackup"],
        }
    body["post_bootstrap"] = "sh /etc/patroni-scripts/post-bootstrap.sh"
    return document(
        f"How {cell.scope(site)} is founded; later changes go through Patroni.", {"bootstrap": body}
    )


def source(cell: Cell) -> str:
    """What a standby cluster follows: every member at home, libpq picks the one that takes writes."""
    return ",".join(cell.host_in(zone, cell.home.region) for zone in cell.home.zones)


def _parameters(shape: Shape) -> dict[str, Any]:
    return {
        "max_connections": 100,
        "wal_level": "replica",
        "wal_log_hints": "on",
        "max_wal_senders": 10,
        "max_replication_slots": 10,
        "max_worker_processes": 8,
        # A remote site that stays away must not fill the primary's volume.
        "max_slot_wal_keep_size": f"{_log_mb(shape)}MB",
    }


def _log_mb(shape: Shape) -> int:
    members = sum(len(site.zones) for cell in shape.cells for site in cell.sites)
    return max(_LEAST_MB, _SHARED_MB // max(1, members))
