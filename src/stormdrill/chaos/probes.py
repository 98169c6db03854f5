"""What a steady-state hypothesis may ask; each answers from the supervisor's own observation."""

from __future__ import annotations

from typing import Any

from stormdrill.chaos.client import call

__all__ = ["load_healthy", "pods_ready", "prometheus_fresh", "replication_in_sync"]


def load_healthy(success_ratio: str | float = 0.99, within: str = "5s") -> Any:
    """Whether at least `success_ratio` of the requests that ended in the last `within` ended well.

    After a fault it looks no further back than to the recovery; a no that close to it is asked for again until
    twice `within` has passed since.
    """
    return call("probe", probe="load_healthy", success_ratio=success_ratio, within=within)


def pods_ready(service: str, zone: str = "", count: int = 1) -> Any:
    """Whether the service has at least `count` pods (in the zone, when one is named), all of them ready."""
    return call("probe", probe="pods_ready", service=service, zone=zone, count=count)


def replication_in_sync(cell: str = "") -> Any:
    """Whether the cell's database (or every one) has a leader and a synchronous standby that streams.

    True on an estate whose topology names no database: nothing is known to be wrong.
    """
    return call("probe", probe="replication_in_sync", cell=cell)


def prometheus_fresh() -> Any:
    """Whether the newest samples are younger than the topology's `prometheus.max_age`."""
    return call("probe", probe="prometheus_fresh")
