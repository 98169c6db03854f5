"""ReplicaSets: as many pods as wanted. A deleted pod is replaced at once, while it still terminates."""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import POD, REPLICA_SET
from stormlab.api.metadata import stamp
from stormlab.api.objects import Objects
from stormlab.api.record import Event, Record
from stormlab.api.removal import DeleteOptions, delete
from stormlab.api.selectors import from_object, matches
from stormlab.api.status import ApiError
from stormlab.controllers import owners, pods, told
from stormlab.controllers.loop import Key

_PHASES = ("Unknown", "Pending", "Running")


class ReplicaSets:
    """Creates and deletes pods, and counts them in the status, which also says why one was refused."""

    name = "replicaset"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store

    def start(self) -> Iterable[Key]:
        """Return all ReplicaSets."""
        return [(record.namespace, record.name) for record in self._store.records(REPLICA_SET)]

    def keys(self, event: Event) -> Iterable[Key]:
        """Return the ReplicaSet that changed, or those whose pod did."""
        record = event.after
        if record.kind is REPLICA_SET:
            return [(record.namespace, record.name)]
        if record.kind is not POD:
            return []
        found = {owners.owner_key(item, REPLICA_SET) for item in (event.before, record) if item is not None}
        if owners.controller_of(record) is None:
            # A pod without controller may be one a ReplicaSet's selector claims.
            return [
                (item.namespace, item.name)
                for item in self._store.records(REPLICA_SET, record.namespace)
                if matches(from_object(item.tree["spec"]["selector"]), record.labels)
            ]
        return [key for key in found if key is not None]

    def reconcile(self, key: Key) -> float | None:
        """Create or delete pods until their number is right; write the status."""
        record = self._store.get(REPLICA_SET, *key)
        if record is None:
            return None
        mine = self._claim(record)
        alive = [pod for pod in mine if pods.active(pod)]
        wanted = at(record.tree, "spec", "replicas", default=0)
        refused: ApiError | None = None
        if not record.deleting:
            refused = self._add(record, alive, wanted)
            for pod in sorted(alive, key=_deletion_order)[: len(alive) - wanted]:
                delete(self._objects, POD, pod.namespace, pod.name, DeleteOptions())
                alive.remove(pod)
        again_s = self._write_status(record, alive, refused)
        if refused is not None:
            raise refused  # looked at again, later and later
        return again_s

    def _add(self, record: Record, alive: list[Record], wanted: int) -> ApiError | None:
        """Create what is missing, into `alive`; the refusal that ended it, if one did."""
        for _ in range(wanted - len(alive)):
            tree = pods.from_template(record, record.tree["spec"]["template"])
            try:
                alive.append(self._objects.create(POD, record.namespace, tree))
            except ApiError as error:
                why = f"Error creating: {error}"
                told.warn(self._objects, record, "replicaset-controller", "FailedCreate", why)
                return error
        return None

    def _claim(self, record: Record) -> list[Record]:
        """Return the pods that are this ReplicaSet's: adopt matching orphans, let go of others."""
        selector = from_object(record.tree["spec"]["selector"])
        mine: list[Record] = []
        for pod in self._store.records(POD, record.namespace):
            owner = owners.controller_of(pod)
            fits = matches(selector, pod.labels)
            if owner is not None and owner["uid"] == record.uid:
                if fits:
                    mine.append(pod)
                elif not pod.deleting:
                    others = [item for item in owners.references(pod) if item["uid"] != record.uid]
                    self._write_owners(pod, others)
            elif owner is None and fits and pods.active(pod) and not record.deleting:
                mine.append(self._write_owners(pod, [*owners.references(pod), owners.reference(record)]))
        return mine

    def _write_owners(self, pod: Record, references: list[Tree]) -> Record:
        metadata = {**pod.tree["metadata"], "ownerReferences": references}
        tree = {**pod.tree, "metadata": metadata}
        return self._objects.update(POD, pod.namespace, pod.name, tree)

    def _write_status(self, record: Record, alive: list[Record], refused: ApiError | None) -> float | None:
        min_ready_s = at(record.tree, "spec", "minReadySeconds", default=0)
        now = self._objects.now()
        waits = [pods.available_in_s(pod, min_ready_s, now) for pod in alive]
        labels = at(record.tree, "spec", "template", "metadata", "labels", default={})
        counts = {
            "fullyLabeledReplicas": sum(labels.items() <= pod.labels.items() for pod in alive),
            "readyReplicas": sum(wait is not None for wait in waits),
            "availableReplicas": sum(wait == 0 for wait in waits),
        }
        status: Tree = {"replicas": len(alive), **{name: count for name, count in counts.items() if count}}
        status["observedGeneration"] = record.tree["metadata"].get("generation", 1)
        if refused is not None:
            status["conditions"] = [self._failure(record, refused)]
        tree = {"metadata": record.tree["metadata"], "status": status}
        self._objects.update(REPLICA_SET, record.namespace, record.name, tree, status=True)
        return min((wait for wait in waits if wait), default=None)

    def _failure(self, record: Record, refused: ApiError) -> Tree:
        before: list[Tree] = at(record.tree, "status", "conditions", default=[])
        since = before[0]["lastTransitionTime"] if before else stamp(self._objects.now())
        head = {"type": "ReplicaFailure", "status": "True", "lastTransitionTime": since}
        return {**head, "reason": "FailedCreate", "message": str(refused)}


def _deletion_order(pod: Record) -> tuple[bool, int, bool, str]:
    """Sort pods so that those that are missed least come first."""
    phase = at(pod.tree, "status", "phase", default="Unknown")
    created = pod.tree["metadata"].get("creationTimestamp", "")
    newest_first = "".join(chr(255 - ord(character)) for character in created)
    rank = _PHASES.index(phase) if phase in _PHASES else 0
    return bool(pod.tree["spec"].get("nodeName")), rank, pods.ready(pod), newest_first
