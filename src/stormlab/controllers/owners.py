"""Ownership: which object controls which, by uid."""

from __future__ import annotations

from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import Kind
from stormlab.api.record import Record
from stormlab.api.store import Store


def reference(owner: Record) -> Tree:
    """Return the reference a controlled object carries."""
    return {
        "apiVersion": owner.kind.api_version,
        "kind": owner.kind.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def references(record: Record) -> list[Tree]:
    """Return an object's owner references."""
    found: list[Tree] = at(record.tree, "metadata", "ownerReferences", default=[])
    return found


def controller_of(record: Record) -> Tree | None:
    """Return the reference to the one owner that controls an object."""
    return next((item for item in references(record) if item.get("controller")), None)


def owned(store: Store, kind: Kind, owner: Record) -> list[Record]:
    """Return the objects of a kind, in the owner's namespace, that it controls."""
    uid = owner.uid
    return [
        record
        for record in store.records(kind, owner.namespace)
        if (item := controller_of(record)) is not None and item["uid"] == uid
    ]


def owner_key(record: Record, kind: Kind) -> tuple[str, str] | None:
    """Return namespace and name of the owner, if it is of this kind."""
    item = controller_of(record)
    if item is None or item.get("kind") != kind.kind or item.get("apiVersion") != kind.api_version:
        return None
    return record.namespace, str(item["name"])
