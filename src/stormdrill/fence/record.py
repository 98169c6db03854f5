"""A fence as it is kept: a ConfigMap in the fenced region, which outlives every one of us.

It is called `stormdrill-fence`, and `stormdrill-fence-<cell>` where the region has the databases of several cells.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from stormdrill.errors import TargetError
from stormdrill.fence.obtained import How
from stormdrill.kube import ApiError, Cluster

NAME = "stormdrill-fence"
ANNOTATION = "stormdrill.io/fenced"


class State(StrEnum):
    """armed: to be closed when the site is lost. closed: nothing may write there. open: as if there were none."""

    ARMED = "armed"
    CLOSED = "closed"
    OPEN = "open"


@dataclass(frozen=True)
class FenceRecord:
    """The fence of one site. `replicas` is what its StatefulSets had, by name; `how` is None while it is not known.

    `by` is who had it done; `at` is UTC, RFC 3339, of the last change. `version` is the object's. `edges_shut`: the
    site's edges were told to let nobody through, and not yet to let everybody through again, whatever the state.
    """

    site: str
    state: State
    by: str
    replicas: dict[str, int]
    how: How | None = None
    why: str = ""
    at: str = ""
    edges_shut: bool = False
    version: str = field(default="", compare=False)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for events."""
        return {key: value for key, value in asdict(self).items() if key != "version"}


def name_of(cell: str) -> str:
    """The object's name; `cell` is empty where the region has the databases of one only."""
    return f"{NAME}-{cell}" if cell else NAME


def _path(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")


def read(cluster: Cluster, namespace: str, cell: str = "") -> FenceRecord | None:
    """The region's fence; None when there never was one. TargetError when it cannot be read."""
    try:
        found = cluster.get(_path(namespace, name_of(cell)))
    except ApiError as error:
        if error.missing:
            return None
        raise
    try:
        body = json.loads(found["data"]["fence.json"])
        return FenceRecord(
            body["site"],
            State(body["state"]),
            body["by"],
            {name: int(count) for name, count in body["replicas"].items()},
            How(body["how"]) if body.get("how") else None,
            body.get("why", ""),
            body.get("at", ""),
            bool(body.get("edges_shut", False)),
            found["metadata"]["resourceVersion"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise TargetError(
            f"{cluster.context}: ConfigMap {namespace}/{name_of(cell)} is no fence of ours: {error!r}"
        ) from None


def write(cluster: Cluster, namespace: str, record: FenceRecord, cell: str = "") -> FenceRecord:
    """Keep it; with a version, only if nobody changed it meanwhile (ApiError, conflict)."""
    record = replace(record, at=datetime.now(UTC).isoformat(timespec="milliseconds"))
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name_of(cell), "namespace": namespace, "labels": {"app": "stormdrill"}},
        # `state` stands apart so that programs of the estate can refer to it.
        "data": {"state": record.state.value, "fence.json": json.dumps(record.to_json())},
    }
    if record.version:
        body["metadata"]["resourceVersion"] = record.version
        kept = cluster.replace(_path(namespace, name_of(cell)), body)
    else:
        kept = cluster.create(_path(namespace), body)
    return replace(record, version=kept["metadata"]["resourceVersion"])
