"""StatefulSets: pods with names and volumes of their own; a name is used again only once it is free.

A pod whose node is unreachable stays Terminating, and its set waits for it for ever (topic 23): that
is what keeps two members from running under one name.
"""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.jsontree import Tree, at, copy
from stormlab.api.kinds import CLAIM, POD, REVISION, STATEFUL_SET
from stormlab.api.objects import Objects
from stormlab.api.record import Event, Record
from stormlab.api.removal import DeleteOptions, delete
from stormlab.controllers import owners, pods, revisions
from stormlab.controllers.loop import Key

REVISION_LABEL = "controller-revision-hash"
_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
_INDEX_LABEL = "apps.kubernetes.io/pod-index"


def ordinal(record: Record, pod: Record) -> int | None:
    """Return a member's number, or None for a pod that is not named as a member."""
    prefix, _, number = pod.name.rpartition("-")
    return int(number) if prefix == record.name and number.isdigit() else None


def _partition(record: Record) -> int:
    """Return the number of the first member that a rollout reaches; 0 without one."""
    spec = record.tree["spec"]
    after: int = at(spec, "updateStrategy", "rollingUpdate", "partition", default=0)
    return after and after + int(at(spec, "ordinals", "start", default=0))


class StatefulSets:
    """Creates members in order, and removes or updates them from the last."""

    name = "statefulset"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store

    def start(self) -> Iterable[Key]:
        """Return all StatefulSets."""
        return [(record.namespace, record.name) for record in self._store.records(STATEFUL_SET)]

    def keys(self, event: Event) -> Iterable[Key]:
        """Return the set that changed, or whose pod or revision did."""
        record = event.after
        if record.kind is STATEFUL_SET:
            return [(record.namespace, record.name)]
        key = owners.owner_key(record, STATEFUL_SET) if record.kind in (POD, REVISION) else None
        return [] if key is None else [key]

    def reconcile(self, key: Key) -> float | None:
        """Take one step: remove, create or update members; write the status."""
        record = self._store.get(STATEFUL_SET, *key)
        if record is None:
            return None
        revision = revisions.name_of(record)
        members = {
            number: pod
            for pod in owners.owned(self._store, POD, record)
            if (number := ordinal(record, pod)) is not None
        }
        if not record.deleting:
            revisions.keep(self._objects, record)
            self._step(record, members, revision)
            used = {revision, self._current(record, revision)}
            used |= {pod.labels.get(REVISION_LABEL, "") for pod in members.values()}
            revisions.forget(self._objects, record, used)
        return self._write_status(record, revision)

    def _step(self, record: Record, members: dict[int, Record], revision: str) -> None:
        spec = record.tree["spec"]
        first = at(spec, "ordinals", "start", default=0)
        wanted = range(first, first + spec.get("replicas", 1))
        in_order = spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        for number in wanted:
            if not self._member_ready(record, members.get(number), number, revision) and in_order:
                return
        surplus = sorted((number for number in members if number not in wanted), reverse=True)
        for number in surplus:
            self._remove(members[number])
            if in_order:
                return
        if not surplus:
            self._update_one(record, members, wanted, revision)

    def _member_ready(self, record: Record, pod: Record | None, number: int, revision: str) -> bool:
        """Create or replace a member if need be; say whether it is there and ready."""
        if pod is None:
            self._create(record, number, revision)
            return False
        if pod.deleting:
            return False
        if pods.ended(pod):
            self._remove(pod)
            return False
        return pods.ready(pod)

    def _create(self, record: Record, number: int, revision: str) -> None:
        name = f"{record.name}-{number}"
        if self._store.get(POD, record.namespace, name) is not None:
            return
        template, revision = self._template(record, number, revision)
        labels = {REVISION_LABEL: revision, _NAME_LABEL: name, _INDEX_LABEL: str(number)}
        tree = pods.from_template(record, template, labels=labels)
        tree["metadata"]["name"] = name
        tree["spec"]["hostname"] = name
        if service := record.tree["spec"].get("serviceName"):
            tree["spec"]["subdomain"] = service
        volumes = list(tree["spec"].get("volumes", ()))
        for template in record.tree["spec"].get("volumeClaimTemplates", ()):
            claim = self._claim(record, template, name)
            short = template["metadata"]["name"]
            volumes = [item for item in volumes if item["name"] != short]
            volumes.append({"name": short, "persistentVolumeClaim": {"claimName": claim}})
        if volumes:
            tree["spec"]["volumes"] = volumes
        self._objects.create(POD, record.namespace, tree)

    def _template(self, record: Record, number: int, revision: str) -> tuple[Tree, str]:
        """What a member is made from, and its revision: below `partition` what it had before the rollout."""
        if number < _partition(record):
            current = self._current(record, revision)
            if (template := revisions.template(self._objects, record, current)) is not None:
                return template, current
        return record.tree["spec"]["template"], revision

    @staticmethod
    def _current(record: Record, revision: str) -> str:
        """The revision that members had before a rollout; the newest, when none is under way."""
        return str(at(record.tree, "status", "currentRevision", default=revision))

    def _claim(self, record: Record, template: Tree, pod_name: str) -> str:
        """Create a member's claim unless it is there from before; it outlives the pod and the set."""
        name = f"{template['metadata']['name']}-{pod_name}"
        if self._store.get(CLAIM, record.namespace, name) is None:
            own = template["metadata"].get("labels", {})
            labels = {**own, **at(record.tree, "spec", "selector", "matchLabels", default={})}
            metadata: Tree = {"name": name, "labels": labels}
            self._objects.create(
                CLAIM, record.namespace, {"metadata": metadata, "spec": copy(template["spec"])}
            )
        return name

    def _remove(self, pod: Record) -> None:
        if not pod.deleting:
            delete(self._objects, POD, pod.namespace, pod.name, DeleteOptions())

    def _update_one(self, record: Record, members: dict[int, Record], wanted: range, revision: str) -> None:
        """Delete the last member that still has the old template; the next waits until it is back."""
        strategy = record.tree["spec"].get("updateStrategy", {})
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return
        least = _partition(record)
        for number in reversed(wanted):
            pod = members.get(number)
            if pod is None or number < least:
                return
            if pod.labels.get(REVISION_LABEL) != revision:
                self._remove(pod)
                return
            if pod.deleting or not pods.ready(pod):
                return

    def _write_status(self, record: Record, revision: str) -> float | None:
        found = owners.owned(self._store, POD, record)
        min_ready_s = at(record.tree, "spec", "minReadySeconds", default=0)
        waits = [pods.available_in_s(pod, min_ready_s, self._objects.now()) for pod in found]
        updated = sum(pods.active(pod) and pod.labels.get(REVISION_LABEL) == revision for pod in found)
        replicas = record.tree["spec"].get("replicas", 1)
        done = updated == replicas == sum(wait is not None for wait in waits)
        current = revision if done else self._current(record, revision)
        holding = sum(pods.active(pod) and pod.labels.get(REVISION_LABEL) == current for pod in found)
        counts = {
            "readyReplicas": sum(wait is not None for wait in waits),
            "currentReplicas": holding,
            "updatedReplicas": updated,
        }
        status: Tree = {
            "observedGeneration": record.tree["metadata"].get("generation", 1),
            "replicas": len(found),
            **{name: count for name, count in counts.items() if count},
            "currentRevision": current,
            "updateRevision": revision,
            "collisionCount": 0,
            "availableReplicas": sum(wait == 0 for wait in waits),
        }
        tree = {"metadata": record.tree["metadata"], "status": status}
        self._objects.update(STATEFUL_SET, record.namespace, record.name, tree, status=True)
        return min((wait for wait in waits if wait), default=None)
