"""Cordons that a drill or a person left on a lab that is adopted: a lab that is ready takes pods everywhere."""

from __future__ import annotations

from stormlab.client import MERGE_PATCH, Client

_NODES = "/api/v1/nodes"


async def lift(client: Client) -> list[str]:
    """Uncordon the nodes of a region, as `kubectl uncordon` does; names of those that were cordoned."""
    cordoned = await client.list(_NODES, fields="spec.unschedulable=true")
    names = [str(node["metadata"]["name"]) for node in cordoned]
    for name in names:
        await client.patch(f"{_NODES}/{name}", {"spec": {"unschedulable": None}}, MERGE_PATCH)
    return names
