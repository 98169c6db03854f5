"""Deployments: one ReplicaSet per template, rolled out within the strategy's limits (topic 19)."""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.jsontree import Tree, at, copy
from stormlab.api.kinds import DEPLOYMENT, POD, REPLICA_SET
from stormlab.api.objects import Objects
from stormlab.api.record import Event, Record
from stormlab.api.removal import DeleteOptions, delete
from stormlab.controllers import owners, pods, rollout
from stormlab.controllers.deploymentstatus import status_of
from stormlab.controllers.loop import Key

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MAXIMUM = "deployment.kubernetes.io/max-replicas"


def _plain(template: Tree) -> Tree:
    """Return a template without the label that tells ReplicaSets apart."""
    labels = {
        key: value
        for key, value in at(template, "metadata", "labels", default={}).items()
        if key != HASH_LABEL
    }
    return {**template, "metadata": {**template.get("metadata", {}), "labels": labels}}


def _revision(record: Record) -> int:
    return int(at(record.tree, "metadata", "annotations", REVISION, default="0"))


class Deployments:
    """Creates, scales and prunes ReplicaSets."""

    name = "deployment"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store

    def start(self) -> Iterable[Key]:
        """Return all Deployments."""
        return [(record.namespace, record.name) for record in self._store.records(DEPLOYMENT)]

    def keys(self, event: Event) -> Iterable[Key]:
        """Return the Deployment that changed, or whose ReplicaSet did, or whose last old pod went."""
        record = event.after
        if record.kind is DEPLOYMENT:
            return [(record.namespace, record.name)]
        if record.kind is REPLICA_SET:
            key = owners.owner_key(record, DEPLOYMENT)
            return [] if key is None else [key]
        if record.kind is POD and event.change == "DELETED":
            # Recreate waits for the pods themselves to be gone.
            key = owners.owner_key(record, REPLICA_SET)
            parent = None if key is None else self._store.get(REPLICA_SET, *key)
            above = None if parent is None else owners.owner_key(parent, DEPLOYMENT)
            return [] if above is None else [above]
        return []

    def reconcile(self, key: Key) -> float | None:
        """Take one step of the rollout and write the status."""
        record = self._store.get(DEPLOYMENT, *key)
        if record is None:
            return None
        every = sorted(owners.owned(self._store, REPLICA_SET, record), key=_revision)
        wanted = _plain(record.tree["spec"]["template"])
        current = next((item for item in every if _plain(item.tree["spec"]["template"]) == wanted), None)
        created = None
        if not record.deleting:
            old = [item for item in every if item is not current]
            if current is None and not record.tree["spec"].get("paused"):
                current = created = self._create(record, old)
            if current is not None:
                record = self._number(record, current, old)
                self._scale(record, current, old)
            self._prune(record, old)
        return self._write_status(record, current, created=created is not None)

    def _write_status(self, record: Record, current: Record | None, *, created: bool) -> float | None:
        sets = owners.owned(self._store, REPLICA_SET, record)
        status, again_s = status_of(record, current, sets, self._objects.now(), created=created)
        tree = {"metadata": record.tree["metadata"], "status": status}
        self._objects.update(DEPLOYMENT, record.namespace, record.name, tree, status=True)
        return again_s

    def _create(self, record: Record, old: list[Record]) -> Record:
        spec = record.tree["spec"]
        digest = pods.template_hash(_plain(spec["template"]))
        template: Tree = copy(spec["template"])
        template["metadata"].setdefault("labels", {})[HASH_LABEL] = digest
        selector: Tree = copy(spec["selector"])
        selector.setdefault("matchLabels", {})[HASH_LABEL] = digest
        metadata = {
            "name": f"{record.name}-{digest}",
            "labels": dict(template["metadata"]["labels"]),
            "annotations": self._notes(record, max(map(_revision, old), default=0) + 1),
            "ownerReferences": [owners.reference(record)],
        }
        wanted: Tree = {"replicas": 0, "selector": selector, "template": template}
        if spec.get("minReadySeconds"):
            wanted["minReadySeconds"] = spec["minReadySeconds"]
        past = [self._size(item) for item in old]
        if spec["strategy"]["type"] == "Recreate" or not any(size.wanted for size in past):
            wanted["replicas"] = 0 if any(size.wanted for size in past) else spec.get("replicas", 1)
        else:
            allowed = rollout.limits(spec["strategy"], spec.get("replicas", 1))
            wanted["replicas"] = rollout.rolling(spec.get("replicas", 1), allowed, rollout.Size(0, 0), past)[
                0
            ]
        return self._objects.create(REPLICA_SET, record.namespace, {"metadata": metadata, "spec": wanted})

    @staticmethod
    def _notes(record: Record, revision: int) -> dict[str, str]:
        spec = record.tree["spec"]
        replicas = spec.get("replicas", 1)
        surge = rollout.limits(spec["strategy"], replicas).surge
        return {_DESIRED: str(replicas), _MAXIMUM: str(replicas + surge), REVISION: str(revision)}

    def _number(self, record: Record, current: Record, old: list[Record]) -> Record:
        """Give the current template the highest revision, on its ReplicaSet and on the Deployment."""
        revision = max(_revision(current), max(map(_revision, old), default=0) + 1)
        annotations = at(record.tree, "metadata", "annotations", default={})
        if annotations.get(REVISION) == str(revision):
            return record
        metadata = {**record.tree["metadata"], "annotations": {**annotations, REVISION: str(revision)}}
        # Through the status part, as the real controller: the wish did not change, nor its generation.
        tree = {"metadata": metadata, "status": record.tree.get("status", {})}
        return self._objects.update(DEPLOYMENT, record.namespace, record.name, tree, status=True)

    def _scale(self, record: Record, current: Record, old: list[Record]) -> None:
        spec = record.tree["spec"]
        replicas = spec.get("replicas", 1)
        new, past = self._size(current), [self._size(item) for item in old]
        if spec.get("paused"):
            targets = (
                new.wanted if any(size.wanted for size in past) else replicas,
                [s.wanted for s in past],
            )
        elif spec["strategy"]["type"] == "Recreate":
            targets = rollout.recreate(replicas, past)
        else:
            targets = rollout.rolling(replicas, rollout.limits(spec["strategy"], replicas), new, past)
        revision = int(at(record.tree, "metadata", "annotations", REVISION, default="1"))
        self._set(current, targets[0], self._notes(record, revision))
        for item, target in zip(old, targets[1], strict=True):
            self._set(item, target, {})

    def _size(self, record: Record) -> rollout.Size:
        existing = len([pod for pod in owners.owned(self._store, POD, record) if not pods.ended(pod)])
        available = at(record.tree, "status", "availableReplicas", default=0)
        return rollout.Size(record.tree["spec"].get("replicas", 0), available, existing)

    def _set(self, record: Record, replicas: int, notes: dict[str, str]) -> None:
        metadata = record.tree["metadata"]
        annotations = {**metadata.get("annotations", {}), **notes}
        tree = {
            **record.tree,
            "metadata": {**metadata, "annotations": annotations},
            "spec": {**record.tree["spec"], "replicas": replicas},
        }
        self._objects.update(REPLICA_SET, record.namespace, record.name, copy(tree))

    def _prune(self, record: Record, old: list[Record]) -> None:
        """Delete ReplicaSets that are empty and older than the history wanted."""
        keep = record.tree["spec"].get("revisionHistoryLimit", 10)
        for item in old[: max(len(old) - keep, 0)]:
            idle = not item.tree["spec"].get("replicas") and not at(
                item.tree, "status", "replicas", default=0
            )
            if idle and not item.deleting:
                delete(self._objects, REPLICA_SET, item.namespace, item.name, DeleteOptions())
