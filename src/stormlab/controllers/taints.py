"""NoExecute taints: evict the pods that do not tolerate them, each when its toleration runs out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import NODE, POD
from stormlab.api.metadata import stamp
from stormlab.api.objects import Objects
from stormlab.api.record import Event, Record
from stormlab.api.removal import DeleteOptions, delete
from stormlab.controllers import fit
from stormlab.controllers.loop import Key


class TaintEviction:
    """Deletes pods from tainted nodes with their own grace; on an unreachable node they stay Terminating."""

    name = "taint-eviction"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store

    def start(self) -> Iterable[Key]:
        """Return all pods on nodes."""
        return [
            (pod.namespace, pod.name) for pod in self._store.records(POD) if pod.tree["spec"].get("nodeName")
        ]

    def keys(self, event: Event) -> Iterable[Key]:
        """Return a newly bound pod, or all pods of a node whose taints changed."""
        record = event.after
        if record.kind is POD and event.change != "DELETED":
            before = None if event.before is None else event.before.tree["spec"].get("nodeName")
            return [(record.namespace, record.name)] if record.tree["spec"].get("nodeName") != before else []
        if record.kind is NODE and event.change != "DELETED":
            if _no_execute(event.before) == _no_execute(record):
                return []
            return [
                (pod.namespace, pod.name)
                for pod in self._store.records(POD)
                if pod.tree["spec"].get("nodeName") == record.name
            ]
        return []

    def reconcile(self, key: Key) -> float | None:
        """Evict the pod if its time on the node is up; returns when it will be."""
        pod = self._store.get(POD, *key)
        if pod is None or pod.deleting:
            return None
        node = self._store.get(NODE, "", pod.tree["spec"].get("nodeName", ""))
        left = [self._left_s(pod, taint) for taint in _no_execute(node)]
        soonest_s = min((seconds for seconds in left if seconds is not None), default=None)
        if soonest_s is None:
            return None
        if soonest_s > 0:
            return soonest_s
        self._evict(pod)
        return None

    def _left_s(self, pod: Record, taint: Tree) -> float | None:
        """Return for how long the pod may stay, or None for ever."""
        found = fit.toleration(pod.tree["spec"], taint)
        if found is None:
            return 0.0
        if found.get("tolerationSeconds") is None:
            return None
        since = taint.get("timeAdded") or stamp(self._objects.now())
        passed_s = (self._objects.now() - dt.datetime.fromisoformat(since)).total_seconds()
        return float(max(found["tolerationSeconds"] - passed_s, 0.0))

    def _evict(self, pod: Record) -> None:
        target: Tree = {
            "type": "DisruptionTarget",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": stamp(self._objects.now()),
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
        }
        others = [
            item
            for item in at(pod.tree, "status", "conditions", default=[])
            if item["type"] != target["type"]
        ]
        tree = {
            "metadata": pod.tree["metadata"],
            "status": {**pod.tree["status"], "conditions": [*others, target]},
        }
        self._objects.update(POD, pod.namespace, pod.name, tree, status=True)
        delete(self._objects, POD, pod.namespace, pod.name, DeleteOptions(uid=pod.uid))


def _no_execute(node: Record | None) -> list[Tree]:
    listed: list[Tree] = [] if node is None else at(node.tree, "spec", "taints", default=[])
    return [taint for taint in listed if taint.get("effect") == "NoExecute"]
