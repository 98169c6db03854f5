"""DaemonSets: one pod on every node that its template fits."""

from __future__ import annotations

import math
from collections.abc import Iterable

from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import DAEMON_SET, NODE, POD
from stormlab.api.objects import Objects
from stormlab.api.record import Event, Record
from stormlab.api.removal import DeleteOptions, delete
from stormlab.controllers import fit, owners, pods
from stormlab.controllers.loop import Key

REVISION_LABEL = "controller-revision-hash"
# Daemons stay where others are driven out (topic 19 #23).
_TOLERATIONS = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


def target_node(pod: Record) -> str:
    """Return the node a daemon's pod is meant for, scheduled or not."""
    if node := pod.tree["spec"].get("nodeName"):
        return str(node)
    path = ("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    return str(at(pod.tree, *path, "nodeSelectorTerms", 0, "matchFields", 0, "values", 0, default=""))


class DaemonSets:
    """Creates a pod for each node without one and deletes those on nodes that do not fit."""

    name = "daemonset"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store

    def start(self) -> Iterable[Key]:
        """Return all DaemonSets."""
        return [(record.namespace, record.name) for record in self._store.records(DAEMON_SET)]

    def keys(self, event: Event) -> Iterable[Key]:
        """Return the set that changed, or whose pod did; all, when a node's facts changed."""
        record = event.after
        if record.kind is DAEMON_SET:
            return [(record.namespace, record.name)]
        if record.kind is POD:
            key = owners.owner_key(record, DAEMON_SET)
            return [] if key is None else [key]
        if record.kind is NODE and (event.before is None or fit.facts(event.before) != fit.facts(record)):
            return self.start()
        return self.start() if record.kind is NODE and event.change == "DELETED" else []

    def reconcile(self, key: Key) -> float | None:
        """Bring pods and nodes into line; write the status."""
        record = self._store.get(DAEMON_SET, *key)
        if record is None:
            return None
        revision = pods.template_hash(record.tree["spec"]["template"])
        wanted = [node for node in self._store.records(NODE) if self._wants(record, node)]
        if not record.deleting:
            self._place(record, {node.name for node in wanted}, revision)
            self._roll(record, revision)
        return self._write_status(record, wanted, revision)

    @staticmethod
    def _wants(record: Record, node: Record) -> bool:
        spec = record.tree["spec"]["template"]["spec"]
        extra = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATIONS]
        tolerant = {"tolerations": [*spec.get("tolerations", ()), *extra]}
        taints = [
            taint
            for taint in node.tree.get("spec", {}).get("taints") or ()
            if taint.get("effect") in {"NoSchedule", "NoExecute"} and taint["key"] != fit.UNREACHABLE
        ]
        return fit.matches_node(spec, node) and all(fit.toleration(tolerant, taint) for taint in taints)

    def _place(self, record: Record, wanted: set[str], revision: str) -> None:
        covered: set[str] = set()
        for pod in owners.owned(self._store, POD, record):
            node = target_node(pod)
            # Its place is taken until it is gone: two daemons on one node would fight.
            if pod.deleting or (node in wanted and node not in covered and not pods.ended(pod)):
                covered.add(node)
            else:
                delete(self._objects, POD, pod.namespace, pod.name, DeleteOptions())
        for node in sorted(wanted - covered):
            self._objects.create(POD, record.namespace, self._pod(record, node, revision))

    @staticmethod
    def _pod(record: Record, node: str, revision: str) -> Tree:
        labels = {
            REVISION_LABEL: revision,
            "pod-template-generation": str(record.tree["metadata"].get("generation", 1)),
        }
        tree = pods.from_template(record, record.tree["spec"]["template"], labels=labels)
        spec = tree["spec"]
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        spec["affinity"] = {**spec.get("affinity", {}), "nodeAffinity": required}
        extra = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATIONS]
        spec["tolerations"] = [*spec.get("tolerations", ()), *extra]
        return tree

    def _roll(self, record: Record, revision: str) -> None:
        """Delete pods of an old template, as many at a time as the strategy allows."""
        strategy = record.tree["spec"].get("updateStrategy", {})
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return
        found = owners.owned(self._store, POD, record)
        value = at(strategy, "rollingUpdate", "maxUnavailable", default=1)
        allowed = math.ceil(len(found) * int(value[:-1]) / 100) if isinstance(value, str) else int(value)
        allowed -= sum(pod.deleting or not pods.ready(pod) for pod in found)
        for pod in found:
            if pod.deleting or pod.labels.get(REVISION_LABEL) == revision:
                continue
            # An old pod that serves nobody costs nothing.
            if not pods.ready(pod) or allowed > 0:
                allowed -= pods.ready(pod)
                delete(self._objects, POD, pod.namespace, pod.name, DeleteOptions())

    def _write_status(self, record: Record, wanted: list[Record], revision: str) -> float | None:
        found = [pod for pod in owners.owned(self._store, POD, record) if not pod.deleting]
        names = {node.name for node in wanted}
        right = [pod for pod in found if target_node(pod) in names]
        min_ready_s = at(record.tree, "spec", "minReadySeconds", default=0)
        waits = [pods.available_in_s(pod, min_ready_s, self._objects.now()) for pod in right]
        available = sum(wait == 0 for wait in waits)
        counts = {
            "updatedNumberScheduled": sum(pod.labels.get(REVISION_LABEL) == revision for pod in right),
            "numberAvailable": available,
            "numberUnavailable": len(wanted) - available,
        }
        status: Tree = {
            "currentNumberScheduled": len(right),
            "numberMisscheduled": len(found) - len(right),
            "desiredNumberScheduled": len(wanted),
            "numberReady": sum(wait is not None for wait in waits),
            "observedGeneration": record.tree["metadata"].get("generation", 1),
            **{name: count for name, count in counts.items() if count},
        }
        tree = {"metadata": record.tree["metadata"], "status": status}
        self._objects.update(DAEMON_SET, record.namespace, record.name, tree, status=True)
        return min((wait for wait in waits if wait), default=None)
