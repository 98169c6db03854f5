"""PersistentVolumeClaims: bound at once, for what is behind them is a directory on this machine."""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import CLAIM
from stormlab.api.objects import Objects
from stormlab.api.record import Event
from stormlab.controllers.loop import Key


class Claims:
    """Marks claims Bound with what they asked for."""

    name = "claim"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store

    def start(self) -> Iterable[Key]:
        """Return all claims."""
        return [(record.namespace, record.name) for record in self._store.records(CLAIM)]

    def keys(self, event: Event) -> Iterable[Key]:
        """Return the claim that changed."""
        record = event.after
        return [(record.namespace, record.name)] if record.kind is CLAIM and event.change != "DELETED" else []

    def reconcile(self, key: Key) -> float | None:
        """Name the volume and set the status."""
        record = self._store.get(CLAIM, *key)
        if record is None or record.deleting:
            return None
        spec = record.tree["spec"]
        if not spec.get("volumeName"):
            named = {**record.tree, "spec": {**spec, "volumeName": f"pvc-{record.uid}"}}
            record = self._objects.update(CLAIM, record.namespace, record.name, named)
        status: Tree = {
            "phase": "Bound",
            "accessModes": spec.get("accessModes", []),
            "capacity": {"storage": at(spec, "resources", "requests", "storage", default="0")},
        }
        tree = {"metadata": record.tree["metadata"], "status": status}
        self._objects.update(CLAIM, record.namespace, record.name, tree, status=True)
        return None
