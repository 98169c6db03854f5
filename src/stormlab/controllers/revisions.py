"""Templates that a StatefulSet has had, as ControllerRevisions: below `partition` a member is made from an old one."""

from __future__ import annotations

from stormlab.api.jsontree import Tree, at, copy
from stormlab.api.kinds import REVISION
from stormlab.api.objects import Objects
from stormlab.api.record import Record
from stormlab.api.removal import DeleteOptions, delete
from stormlab.controllers import owners, pods

_HASH_LABEL = "controller.kubernetes.io/hash"


def name_of(record: Record) -> str:
    """Return the name of the revision that holds a set's present template."""
    return f"{record.name}-{pods.template_hash(record.tree['spec']['template'])}"


def keep(objects: Objects, record: Record) -> None:
    """Record the present template as the newest; one that was had before gets a new number."""
    name = name_of(record)
    kept = owners.owned(objects.store, REVISION, record)
    newest = max((item.tree["revision"] for item in kept), default=0)
    held = objects.store.get(REVISION, record.namespace, name)
    if held is None:
        objects.create(REVISION, record.namespace, _revision(record, name, newest + 1))
    elif held.tree["revision"] < newest:
        objects.update(REVISION, record.namespace, name, {**held.tree, "revision": newest + 1})


def template(objects: Objects, record: Record, name: str) -> Tree | None:
    """Return the template of a revision; None when it is not known any more."""
    held = objects.store.get(REVISION, record.namespace, name)
    found: Tree | None = None if held is None else at(held.tree, "data", "spec", "template")
    return None if found is None else {key: copy(part) for key, part in found.items() if key != "$patch"}


def forget(objects: Objects, record: Record, used: set[str]) -> None:
    """Delete the oldest revisions, beyond as many as the set is to remember, that no member is of."""
    kept = owners.owned(objects.store, REVISION, record)
    idle = sorted((item for item in kept if item.name not in used), key=lambda item: item.tree["revision"])
    surplus = len(idle) - at(record.tree, "spec", "revisionHistoryLimit", default=10)
    for item in idle[: max(0, surplus)]:
        delete(objects, REVISION, item.namespace, item.name, DeleteOptions())


def _revision(record: Record, name: str, number: int) -> Tree:
    present = record.tree["spec"]["template"]
    labels = {
        **at(present, "metadata", "labels", default={}),
        _HASH_LABEL: name.removeprefix(f"{record.name}-"),
    }
    return {
        "metadata": {"name": name, "labels": labels, "ownerReferences": [owners.reference(record)]},
        "data": {"spec": {"template": {**copy(present), "$patch": "replace"}}},
        "revision": number,
    }
