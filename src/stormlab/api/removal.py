"""Delete objects: grace periods of pods, finalizers, preconditions, propagation (topics 09, 10)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from stormlab.api.custom.definition import CLEANUP
from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import CLAIM, DEFINITION, NAMESPACE, POD, SERVICE, SERVICE_ACCOUNT, Kind
from stormlab.api.metadata import stamp
from stormlab.api.objects import Objects, finished
from stormlab.api.record import Record
from stormlab.api.status import ApiError, about, forbidden, success

PROTECTED_NAMESPACES = ("default", "kube-system", "kube-public")
# These answer the object even when it is gone at once; the others answer a Status.
_ANSWER_OBJECT = (CLAIM, POD, SERVICE, SERVICE_ACCOUNT)
_FINALIZERS = {"Orphan": "orphan", "Foreground": "foregroundDeletion"}


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """What a delete asks for; `grace_s` None is the object's own."""

    grace_s: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    propagation: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of a delete: the object in its last state, and whether it is gone."""

    record: Record
    gone: bool

    @property
    def answer(self) -> Tree:
        """Return what the client gets: the object, or Status Success."""
        kind = self.record.kind
        if not self.gone or kind in _ANSWER_OBJECT:
            return self.record.full()
        details = about(kind, self.record.name)
        return success({**details, "uid": self.record.uid})


def delete(objects: Objects, kind: Kind, namespace: str, name: str, options: DeleteOptions) -> Removal:
    """Delete one object, or start its deletion; ApiError 403, 404 or 409 where it cannot be."""
    record = objects.require(kind, namespace, name)
    _check(record, options)
    grace_s = _grace_s(record, options)
    metadata = dict(record.tree["metadata"])
    finalizers = list(metadata.get("finalizers", ()))
    if wanted := _FINALIZERS.get(options.propagation or ""):
        finalizers = [*finalizers, *([] if wanted in finalizers else [wanted])]
        metadata["finalizers"] = finalizers
    if not record.deleting or (kind is POD and grace_s < metadata.get("deletionGracePeriodSeconds", 0)):
        _mark(kind, metadata, objects.now(), record, grace_s)
    tree = {**record.tree, "metadata": metadata}
    if kind is NAMESPACE:
        tree["status"] = {**tree.get("status", {}), "phase": "Terminating"}
    if kind is DEFINITION and not record.deleting:
        metadata["finalizers"] = [*metadata.get("finalizers", ()), CLEANUP]
        tree["status"] = _terminating(tree["status"], metadata["deletionTimestamp"])
    gone = finished(kind, tree)
    if options.dry_run:
        return Removal(Record(kind, tree, record.version), gone)
    if not gone:
        return Removal(record if tree == record.tree else objects.store.put(kind, tree), gone=False)
    if kind is POD and not (record.deleting and tree == record.tree):
        # A pod's last MODIFIED shows grace 0 before it is DELETED; kubelets and watchers see both.
        record = objects.store.put(kind, tree)
        return Removal(objects.store.remove(record), gone=True)
    return Removal(objects.store.remove(record), gone=True)


def _check(record: Record, options: DeleteOptions) -> None:
    kind, name = record.kind, record.name
    if kind is NAMESPACE and name in PROTECTED_NAMESPACES:
        raise forbidden(kind, name, "this namespace may not be deleted")
    for field, wanted, found, fate in (
        ("UID", options.uid, record.uid, "deleted and then recreated"),
        ("ResourceVersion", options.resource_version, str(record.version), "modified"),
    ):
        if wanted and wanted != found:
            why = (
                f"the {field} in the precondition ({wanted}) does not match the {field} in record ({found}). "
                f"The object might have been {fate}"
            )
            # Here a real server names the Kind, not the resource.
            shown = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
            message = f'Operation cannot be fulfilled on {shown} "{name}": {why}'
            raise ApiError(409, "Conflict", message, about(kind, name, use_kind=True))


def _grace_s(record: Record, options: DeleteOptions) -> int:
    """Return how long a pod may take to end; nothing else has grace."""
    if record.kind is not POD:
        return 0
    tree = record.tree
    grace_s = options.grace_s
    if grace_s is None:
        grace_s = at(tree, "spec", "terminationGracePeriodSeconds", default=30)
    # A negative grace means the shortest that is not "at once".
    grace_s = max(grace_s, 1) if grace_s < 0 else grace_s
    never_ran = not tree["spec"].get("nodeName") or at(tree, "status", "phase") in {"Succeeded", "Failed"}
    return 0 if never_ran else grace_s


def _terminating(status: Tree, now: str) -> Tree:
    """Return a definition's status once its objects are to go."""
    told = {
        "type": "Terminating",
        "status": "True",
        "lastTransitionTime": now,
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    }
    return {**status, "conditions": [*(status.get("conditions") or ()), told]}


def _mark(kind: Kind, metadata: Tree, now: dt.datetime, record: Record, grace_s: int) -> None:
    begun = now
    if record.deleting:
        # A shortened grace counts from the first delete, not from now.
        first = dt.datetime.fromisoformat(metadata["deletionTimestamp"])
        begun = first - dt.timedelta(seconds=metadata.get("deletionGracePeriodSeconds", 0))
    metadata["deletionTimestamp"] = stamp(begun + dt.timedelta(seconds=grace_s))
    if kind is DEFINITION:
        return
    if kind is not NAMESPACE:
        metadata["deletionGracePeriodSeconds"] = grace_s
    if kind.generation and not record.deleting:
        metadata["generation"] = metadata.get("generation", 0) + 1
