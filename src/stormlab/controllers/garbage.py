"""Garbage: what is owned goes when its owners are gone; orphan and foreground deletion (topic 09)."""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.jsontree import at
from stormlab.api.kinds import Kind
from stormlab.api.objects import Objects
from stormlab.api.record import Event, Record
from stormlab.api.removal import DeleteOptions, delete
from stormlab.controllers.loop import Key
from stormlab.controllers.owners import references

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
Place = tuple[str, str, str]


def _place(record: Record) -> Place:
    return record.kind.resource, record.namespace, record.name


class Garbage:
    """Knows every uid there is and who refers to it, from events alone."""

    name = "garbage"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store
        self._alive: dict[str, Place] = {}
        self._dependents: dict[str, set[Place]] = {}

    def start(self) -> Iterable[Key]:
        """Learn everything there is; return all objects that own, are owned, or wait for a finalizer."""
        every = [record for kind in self._store.catalog.kinds for record in self._store.records(kind)]
        for record in every:
            self._learn(record)
        return [_place(record) for record in every if references(record) or record.deleting]

    def _learn(self, record: Record) -> None:
        self._alive[record.uid] = _place(record)
        for item in references(record):
            self._dependents.setdefault(item["uid"], set()).add(_place(record))

    def keys(self, event: Event) -> Iterable[Key]:
        """Return what a change may make garbage, or may let go."""
        record = event.after
        place = _place(record)
        if event.change != "DELETED":
            self._learn(record)
            changed = event.before is None or references(event.before) != references(record)
            return [place] if record.deleting or (references(record) and changed) else []
        if self._alive.get(record.uid) == place:
            del self._alive[record.uid]
        concerned: set[Place] = set(self._dependents.pop(record.uid, ()))
        for item in references(record):
            self._dependents.get(item["uid"], set()).discard(place)
            if item["uid"] in self._alive:
                concerned.add(self._alive[item["uid"]])
        return concerned

    def _find(self, place: Place) -> Record | None:
        kind = self._store.catalog.named(place[0])
        return None if kind is None else self._store.get(kind, place[1], place[2])

    def reconcile(self, key: Key) -> float | None:
        """Delete an object whose owners are all gone; finish an owner's orphan or foreground delete."""
        record = self._find((key[0], key[1], key[2]))
        if record is None:
            return None
        listed = references(record)
        if listed and not record.deleting and not any(item["uid"] in self._alive for item in listed):
            delete(self._objects, record.kind, record.namespace, record.name, DeleteOptions(uid=record.uid))
            return None
        if record.deleting:
            finalizers = at(record.tree, "metadata", "finalizers", default=[])
            if ORPHAN in finalizers:
                self._orphan(record)
            elif FOREGROUND in finalizers:
                self._foreground(record)
        return None

    def _owned(self, record: Record) -> list[Record]:
        found = [self._find(place) for place in sorted(self._dependents.get(record.uid, ()))]
        return [item for item in found if item and any(ref["uid"] == record.uid for ref in references(item))]

    def _orphan(self, record: Record) -> None:
        for item in self._owned(record):
            others = [ref for ref in references(item) if ref["uid"] != record.uid]
            self._write(item, {"ownerReferences": others})
        self._drop_finalizer(record, ORPHAN)

    def _foreground(self, record: Record) -> None:
        blocking = [
            item
            for item in self._owned(record)
            if any(ref["uid"] == record.uid and ref.get("blockOwnerDeletion") for ref in references(item))
        ]
        for item in self._owned(record):
            if not item.deleting:
                options = DeleteOptions(uid=item.uid, propagation=_propagation(item.kind))
                delete(self._objects, item.kind, item.namespace, item.name, options)
        if not any(self._find(_place(item)) for item in blocking):
            self._drop_finalizer(record, FOREGROUND)

    def _drop_finalizer(self, record: Record, name: str) -> None:
        kept = [item for item in at(record.tree, "metadata", "finalizers", default=[]) if item != name]
        self._write(record, {"finalizers": kept})

    def _write(self, record: Record, changes: dict[str, object]) -> None:
        tree = {**record.tree, "metadata": {**record.tree["metadata"], **changes}}
        self._objects.update(record.kind, record.namespace, record.name, tree)


def _propagation(kind: Kind) -> str | None:
    """Pods own nothing that would have to go first."""
    return None if kind.plural == "pods" else "Foreground"
