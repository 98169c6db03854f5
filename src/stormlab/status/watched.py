"""What was done to the estate on purpose: faults in force and fences, from objects that others keep in its APIs.

The lab knows these objects by their names only (`lab.watch`). A fault is read by what the fields of such objects are
usually called, a fence by the `state` of a ConfigMap and by the first of its values that is a JSON object.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from stormlab.client import ApiError, Client
from stormlab.status.part import Row
from stormlab.statusparts import Watch

_OVER = "reverted"
_OPEN = "open"


async def faults(region: str, client: Client, watch: Watch) -> list[Row]:
    """Faults in force; none where the API does not know the kind. Raises ApiError."""
    try:
        items = await client.list(f"/apis/{watch.faults}")
    except ApiError as error:
        if error.code == 404:
            return []
        raise
    rows = [_fault(region, item) for item in items]
    return [row for row in rows if row["state"] != _OVER]


def _fault(region: str, item: Mapping[str, Any]) -> Row:
    meta, spec = item["metadata"], _mapping(item.get("spec"))
    nodes = [_mapping(entry) for entry in _mapping(_mapping(item.get("status")).get("nodes")).values()]
    targets = [_mapping(target) for target in spec.get("targets") or []]
    since = [entry["appliedAt"] for entry in nodes if entry.get("appliedAt")]
    return {
        "region": region,
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "kind": spec.get("kind"),
        "where": list(dict.fromkeys(str(one.get("zone") or one.get("node")) for one in targets)),
        "state": _state(spec, nodes),
        "since": min(since, default=meta.get("creationTimestamp")),
    }


def _state(spec: Mapping[str, Any], nodes: list[Mapping[str, Any]]) -> str:
    """One word when all nodes agree, else how many say what; what is wanted while none has said anything."""
    counts = Counter(str(entry.get("state", "unknown")) for entry in nodes)
    if not counts:
        return _OVER if spec.get("desired") == _OVER else "asked for"
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{state} {count}" for state, count in sorted(counts.items()))


async def fences(region: str, client: Client, watch: Watch) -> list[Row]:
    """Fences that are not open; where a region has the databases of several cells, they are called NAME-CELL each.

    Raises ApiError.
    """
    items = await client.list("/api/v1/configmaps")
    found = [(item["metadata"]["name"].removeprefix(watch.fences), item) for item in items]
    rows = [_fence(region, rest, item) for rest, item in found if rest == "" or rest.startswith("-")]
    return [row for row in rows if row["state"] != _OPEN]


def _fence(region: str, rest: str, item: Mapping[str, Any]) -> Row:
    data = _mapping(item.get("data"))
    said = next(filter(None, map(_object, data.values())), {})
    return {
        "region": region,
        "namespace": item["metadata"].get("namespace"),
        "name": item["metadata"]["name"],
        "site": said.get("site", region) + (f" ({rest[1:]})" if rest else ""),
        "state": data.get("state") or said.get("state") or "unknown",
        "how": said.get("how"),
        "by": said.get("by"),
        "since": said.get("at") or item["metadata"].get("creationTimestamp"),
    }


def _object(text: object) -> dict[str, Any]:
    try:
        value = json.loads(str(text))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
