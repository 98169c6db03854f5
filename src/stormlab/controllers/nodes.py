"""Node life: a node that stops renewing its lease becomes Unknown, is tainted, and loses its pods.

The times are those of a real cluster (topic 23): 40 s of silence until NotReady and endpoints out,
then each pod's own toleration, 300 s by default, until it is evicted. Silence is measured on the
monotonic clock from the last renewal seen here, so a node's wrong clock or a restart of this process
evicts nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import LEASE, NODE, POD
from stormlab.api.metadata import stamp
from stormlab.api.objects import Objects
from stormlab.api.record import Event, Record
from stormlab.controllers import fit, pods
from stormlab.controllers.loop import Key
from stormlab.controllersettings import DEFAULT_GRACE_S

LEASE_NAMESPACE = "kube-node-lease"
_EFFECTS = ("NoSchedule", "NoExecute")


class NodeLife:
    """Watches leases and writes node conditions, taints and pod readiness."""

    name = "node"

    def __init__(
        self,
        objects: Objects,
        *,
        grace_s: float = DEFAULT_GRACE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._objects = objects
        self._store = objects.store
        self._grace_s = grace_s
        self._monotonic = monotonic
        self._heard_at: dict[str, float] = {}

    def start(self) -> Iterable[Key]:
        """Return all nodes; their silence counts from now."""
        return [(record.name,) for record in self._store.records(NODE)]

    def keys(self, event: Event) -> Iterable[Key]:
        """Note a sign of life; return the node when there is something to look at."""
        record = event.after
        if record.kind is LEASE and record.namespace == LEASE_NAMESPACE:
            before = None if event.before is None else event.before.tree["spec"].get("renewTime")
            if event.change != "DELETED" and record.tree["spec"].get("renewTime") != before:
                self._heard_at[record.name] = self._monotonic()
                return [(record.name,)]
            return []
        if record.kind is not NODE:
            return []
        if event.change == "DELETED":
            self._heard_at.pop(record.name, None)
            return []
        if _heartbeat(event.before) != _heartbeat(record):
            self._heard_at[record.name] = self._monotonic()
        return [(record.name,)]

    def reconcile(self, key: Key) -> float | None:
        """Bring one node's conditions and taints up to date; returns when its silence will be too long."""
        node = self._store.get(NODE, "", key[0])
        if node is None:
            return None
        silent_s = self._monotonic() - self._heard_at.setdefault(node.name, self._monotonic())
        if silent_s >= self._grace_s:
            node = self._mark_unknown(node)
        ready = pods.condition(node, "Ready")
        state = "Unknown" if ready is None else ready["status"]
        self._write_taints(node, state)
        if state != "True":
            self._unready_pods(node)
        return max(self._grace_s - silent_s, 0.0) + 0.01 if silent_s < self._grace_s else None

    def _mark_unknown(self, node: Record) -> Record:
        listed: list[Tree] = at(node.tree, "status", "conditions", default=[])
        if all(item["status"] == "Unknown" for item in listed) and listed:
            return node
        moment = stamp(self._objects.now())
        lost = {"reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
        conditions = [
            {**item, "status": "Unknown", "lastTransitionTime": moment, **lost} for item in listed
        ] or [{"type": "Ready", "status": "Unknown", "lastTransitionTime": moment, **lost}]
        tree = {
            "metadata": node.tree["metadata"],
            "status": {**node.tree.get("status", {}), "conditions": conditions},
        }
        return self._objects.update(NODE, "", node.name, tree, status=True)

    def _write_taints(self, node: Record, state: str) -> None:
        wanted_key = {"Unknown": fit.UNREACHABLE, "False": fit.NOT_READY}.get(state)
        before: list[Tree] = at(node.tree, "spec", "taints", default=[])
        kept = [
            item for item in before if item["key"] not in {fit.UNREACHABLE, fit.NOT_READY, fit.UNSCHEDULABLE}
        ]
        if node.tree.get("spec", {}).get("unschedulable"):
            kept.append(_taint(before, fit.UNSCHEDULABLE, "NoSchedule", stamp(self._objects.now())))
        if wanted_key:
            kept += [_taint(before, wanted_key, effect, stamp(self._objects.now())) for effect in _EFFECTS]
        if sorted(map(str, kept)) != sorted(map(str, before)):
            spec = {key: value for key, value in node.tree.get("spec", {}).items() if key != "taints"}
            if kept:
                spec["taints"] = kept
            self._objects.update(NODE, "", node.name, {**node.tree, "spec": spec})

    def _unready_pods(self, node: Record) -> None:
        """Set Ready False on the node's pods, which takes them out of all endpoints."""
        for pod in self._store.records(POD):
            if pod.tree["spec"].get("nodeName") != node.name or not pods.ready(pod):
                continue
            moment = stamp(self._objects.now())
            conditions = [
                {**item, "status": "False", "lastTransitionTime": moment} if item["type"] == "Ready" else item
                for item in pod.tree["status"]["conditions"]
            ]
            tree = {
                "metadata": pod.tree["metadata"],
                "status": {**pod.tree["status"], "conditions": conditions},
            }
            self._objects.update(POD, pod.namespace, pod.name, tree, status=True)


def _heartbeat(record: Record | None) -> str:
    """Return when the kubelet last posted its status, as it says."""
    found = None if record is None else pods.condition(record, "Ready")
    return "" if found is None else str(found.get("lastHeartbeatTime", ""))


def _taint(before: list[Tree], key: str, effect: str, moment: str) -> Tree:
    """Return the taint as it is, or a new one."""
    same = next((item for item in before if item["key"] == key and item.get("effect") == effect), None)
    return same or {"key": key, "effect": effect, "timeAdded": moment}
