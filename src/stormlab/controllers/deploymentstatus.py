"""A Deployment's status: counts over its ReplicaSets, and the Available and Progressing conditions."""

from __future__ import annotations

import datetime as dt

from stormlab.api.jsontree import Tree, at
from stormlab.api.metadata import stamp
from stormlab.api.record import Record
from stormlab.controllers.rollout import limits

Condition = tuple[str, str, str]


def _sum(sets: list[Record], field: str) -> int:
    return sum(at(record.tree, "status", field, default=0) for record in sets)


def status_of(
    record: Record, current: Record | None, sets: list[Record], now: dt.datetime, *, created: bool
) -> tuple[Tree, float | None]:
    """Return the status and after how many seconds it may change by time alone."""
    spec, before = record.tree["spec"], record.tree.get("status") or {}
    replicas = spec.get("replicas", 1)
    own = [item for item in sets if current is not None and item.uid == current.uid]
    total, available = _sum(sets, "replicas"), _sum(sets, "availableReplicas")
    wanted = sum(item.tree["spec"].get("replicas", 0) for item in sets)
    counts = {
        "replicas": total,
        "updatedReplicas": _sum(own, "replicas"),
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(wanted - available, 0),
    }
    status: Tree = {"observedGeneration": record.tree["metadata"].get("generation", 1)}
    status |= {name: count for name, count in counts.items() if count}
    enough = available >= replicas - limits(spec["strategy"], replicas).unavailable
    complete = counts["updatedReplicas"] == total == available == replicas
    moved = any(before.get(name, 0) != counts[name] for name in counts)
    progress, again_s = _progress(record, current, now, complete=complete, created=created, moved=moved)
    conditions = [_condition(before, ("Available", *_availability(enough)), now, touch=False)]
    if progress is not None:
        touch = created or (moved and not complete)
        conditions.append(_condition(before, progress, now, touch=touch))
    status["conditions"] = conditions
    return status, again_s


def _availability(enough: bool) -> tuple[str, str]:
    return ("True", "MinimumReplicasAvailable") if enough else ("False", "MinimumReplicasUnavailable")


def _progress(
    record: Record, current: Record | None, now: dt.datetime, *, complete: bool, created: bool, moved: bool
) -> tuple[Condition | None, float | None]:
    before = _find(record.tree.get("status") or {}, "Progressing")
    if complete and current is not None:
        return ("Progressing", "True", "NewReplicaSetAvailable"), None
    if created:
        return ("Progressing", "True", "NewReplicaSetCreated"), _deadline_s(record)
    if before is None or moved or current is None:
        return ("Progressing", "True", "ReplicaSetUpdated"), _deadline_s(record)
    if before["reason"] == "NewReplicaSetAvailable":
        # Pods that die later do not undo a finished rollout.
        return ("Progressing", before["status"], before["reason"]), None
    age_s = (now - dt.datetime.fromisoformat(before["lastUpdateTime"])).total_seconds()
    if age_s >= _deadline_s(record):
        return ("Progressing", "False", "ProgressDeadlineExceeded"), None
    return ("Progressing", before["status"], before["reason"]), _deadline_s(record) - age_s


def _deadline_s(record: Record) -> float:
    return float(record.tree["spec"].get("progressDeadlineSeconds", 600))


_MESSAGES = {
    "MinimumReplicasAvailable": "Deployment has minimum availability.",
    "MinimumReplicasUnavailable": "Deployment does not have minimum availability.",
    "NewReplicaSetAvailable": "The new ReplicaSet has successfully progressed.",
    "NewReplicaSetCreated": "Created a new ReplicaSet.",
    "ReplicaSetUpdated": "The new ReplicaSet is progressing.",
    "ProgressDeadlineExceeded": "The new ReplicaSet has timed out progressing.",
}


def _find(status: Tree, name: str) -> Tree | None:
    listed: list[Tree] = status.get("conditions") or []
    return next((item for item in listed if item["type"] == name), None)


def _condition(before: Tree, wanted: Condition, now: dt.datetime, *, touch: bool) -> Tree:
    name, value, reason = wanted
    old = _find(before, name)
    if old is not None and old["status"] == value and old["reason"] == reason and not touch:
        return old
    moment = stamp(now)
    since = old["lastTransitionTime"] if old is not None and old["status"] == value else moment
    return {
        "type": name,
        "status": value,
        "lastUpdateTime": moment,
        "lastTransitionTime": since,
        "reason": reason,
        "message": _MESSAGES[reason],
    }
