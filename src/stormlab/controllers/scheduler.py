"""The scheduler: binds pods to nodes that fit, spreading each owner's pods; else says Unschedulable."""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.binding import bind
from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import CLAIM, NODE, POD
from stormlab.api.metadata import stamp
from stormlab.api.objects import Objects
from stormlab.api.record import Event, Record
from stormlab.controllers import fit, pods
from stormlab.controllers.loop import Key
from stormlab.controllers.owners import controller_of
from stormlab.controllers.placed import Placed

NAME = "default-scheduler"


def _waiting(pod: Record) -> bool:
    spec = pod.tree["spec"]
    return not spec.get("nodeName") and pods.active(pod) and spec.get("schedulerName", NAME) == NAME


class Scheduler:
    """Looks at pods without a node."""

    name = "scheduler"

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store
        self._placed = Placed()

    def start(self) -> Iterable[Key]:
        """Learn where pods are; return all without a node."""
        self._placed = Placed(self._store.records(POD))
        return self._all_waiting()

    def _all_waiting(self) -> list[Key]:
        return [(pod.namespace, pod.name) for pod in self._store.records(POD) if _waiting(pod)]

    def keys(self, event: Event) -> Iterable[Key]:
        """Return the new pod; or all that wait, when a node changed, a pod made room, or a claim is there."""
        record = event.after
        self._placed.note(event)
        if record.kind is POD and event.change != "DELETED":
            return [(record.namespace, record.name)] if _waiting(record) else []
        made = record.kind is CLAIM and event.change == "ADDED"
        if record.kind is POD or made or (record.kind is NODE and _matters(event)):
            return self._all_waiting()
        return []

    def reconcile(self, key: Key) -> float | None:
        """Bind the pod, or write why it cannot be bound."""
        pod = self._store.get(POD, *key)
        if pod is None or not _waiting(pod):
            return None
        nodes = self._store.records(NODE)
        if missing := self._missing_claim(pod):
            self._write_unscheduled(
                pod, _message(f'persistentvolumeclaim "{missing}" not found', [""] * len(nodes))
            )
            return None
        reasons = {node.name: fit.refusal(pod, node, nodes, self._placed) for node in nodes}
        fitting = [node for node in nodes if not reasons[node.name]]
        if fitting:
            bind(self._objects, pod.namespace, pod.name, self._choose(pod, fitting).name)
        else:
            self._say_unschedulable(pod, list(reasons.values()))
        return None

    def _missing_claim(self, pod: Record) -> str:
        for volume in pod.tree["spec"].get("volumes", ()):
            name = at(volume, "persistentVolumeClaim", "claimName", default="")
            if name and self._store.get(CLAIM, pod.namespace, name) is None:
                return str(name)
        return ""

    def _choose(self, pod: Record, fitting: list[Record]) -> Record:
        """Return the node with the fewest pods of the same owner, then the fewest pods."""
        owner = controller_of(pod)
        uid = owner["uid"] if owner else None

        def load(node: Record) -> tuple[int, int, str]:
            here = [item for item in self._placed.on(node.name) if not item.deleting]
            siblings = [
                item for item in here if uid and (found := controller_of(item)) and found["uid"] == uid
            ]
            return len(siblings), len(here), node.name

        return min(fitting, key=load)

    def _say_unschedulable(self, pod: Record, reasons: list[str]) -> None:
        told = ", ".join(sorted(f"{reasons.count(reason)} {reason}" for reason in set(reasons)))
        message = _message(told, reasons) if reasons else "no nodes available to schedule pods"
        self._write_unscheduled(pod, message)

    def _write_unscheduled(self, pod: Record, message: str) -> None:
        before = pods.condition(pod, "PodScheduled")
        if before is not None and before.get("message") == message and before["status"] == "False":
            return
        moment = stamp(self._objects.now())
        wanted: Tree = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": before["lastTransitionTime"] if before else moment,
            "reason": "Unschedulable",
            "message": message,
        }
        others = [
            item
            for item in at(pod.tree, "status", "conditions", default=[])
            if item["type"] != "PodScheduled"
        ]
        status = {**pod.tree["status"], "conditions": [*others, wanted]}
        tree = {"metadata": pod.tree["metadata"], "status": status}
        self._objects.update(POD, pod.namespace, pod.name, tree, status=True)


def _message(told: str, reasons: list[str]) -> str:
    count, about_others = len(reasons), sum(map(fit.about_others, reasons))
    preemption = ", ".join(
        f"{number} {words}"
        for number, words in (
            (about_others, "No preemption victims found for incoming pod"),
            (count - about_others, "Preemption is not helpful for scheduling"),
        )
        if number
    )
    return f"0/{count} nodes are available: {told}. preemption: 0/{count} nodes are available: {preemption}."


def _matters(event: Event) -> bool:
    """Say whether a node's change can let a pod fit; heartbeats cannot."""
    if event.before is None or event.change == "DELETED":
        return True
    return fit.facts(event.before) != fit.facts(event.after)
