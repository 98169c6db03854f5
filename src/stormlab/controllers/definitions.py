"""CustomResourceDefinitions: finish accepting their names, and empty those being deleted (topic 16)."""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.custom.definition import CLEANUP
from stormlab.api.custom.kind import CustomKind
from stormlab.api.kinds import DEFINITION
from stormlab.api.objects import Objects
from stormlab.api.record import Event, Record
from stormlab.api.removal import DeleteOptions, delete
from stormlab.controllers.loop import Key


class Definitions:
    """Looks at a definition when it changes, when it may have its names now, and when an object of it goes."""

    name = "definition"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store

    def start(self) -> Iterable[Key]:
        """Return all definitions."""
        return self._all()

    def _all(self) -> list[Key]:
        return [(record.name,) for record in self._store.records(DEFINITION)]

    def keys(self, event: Event) -> Iterable[Key]:
        """Return the definition that changed, or all of them when names became free."""
        record = event.after
        if record.kind is DEFINITION:
            return self._all() if event.change == "DELETED" else [(record.name,)]
        if event.change == "DELETED" and isinstance(record.kind, CustomKind):
            return [(record.kind.definition,)]
        return []

    def reconcile(self, key: Key) -> float | None:
        """Accept a definition's names; let one that is deleted go once all its objects are gone."""
        record = self._store.get(DEFINITION, "", key[0])
        if record is None:
            return None
        if record.deleting:
            self._empty(record)
        else:
            self._objects.establish(record)
        return None

    def _empty(self, record: Record) -> None:
        kind = self._store.catalog.custom(record.name)
        for item in self._store.records(kind) if kind is not None else ():
            if not item.deleting:
                delete(self._objects, item.kind, item.namespace, item.name, DeleteOptions(uid=item.uid))
        if kind is not None and self._store.records(kind):
            return
        metadata = record.tree["metadata"]
        kept = [name for name in metadata.get("finalizers", ()) if name != CLEANUP]
        if kept != metadata.get("finalizers", []):
            tree = {**record.tree, "metadata": {**metadata, "finalizers": kept}}
            self._objects.update(DEFINITION, "", record.name, tree)
