"""A Deployment's status: counts over its ReplicaSets, and its conditions."""

from __future__ import annotations

import datetime as dt

from stormlab.api.jsontree import Tree, at
from stormlab.api.metadata import stamp
from stormlab.api.record import Record
from stormlab.controllers.rollout import limits

Condition = tuple[str, str, str]
FAILURE = "ReplicaFailure"


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
    about = record if current is None else current
    available_now = ("Available", *_availability(enough))
    conditions = [_condition(before, available_now, about, now, touch=False)]
    if progress is not None:
        touch = created or (moved and not complete)
        conditions.append(_condition(before, progress, about, now, touch=touch))
    status["conditions"] = [*conditions, *_failure(current, sets)]
    return status, again_s


def _failure(current: Record | None, sets: list[Record]) -> list[Tree]:
    """What keeps the ReplicaSet of the present template from having its pods, else what keeps another."""
    for item in ([] if current is None else [current]) + sets:
        # The ReplicaSets' own controller wrote since this look began: what counts is what is stored.
        stored = next((one for one in sets if one.uid == item.uid), item)
        if (found := _find(stored.tree.get("status") or {}, FAILURE)) is not None:
            since = found["lastTransitionTime"]
            return [{**found, "lastUpdateTime": since}]
    return []


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
    "NewReplicaSetAvailable": '{kind} "{name}" has successfully progressed.',
    "NewReplicaSetCreated": 'Created new replica set "{name}"',
    "ReplicaSetUpdated": '{kind} "{name}" is progressing.',
    "ProgressDeadlineExceeded": '{kind} "{name}" has timed out progressing.',
}


def _find(status: Tree, name: str) -> Tree | None:
    listed: list[Tree] = status.get("conditions") or []
    return next((item for item in listed if item["type"] == name), None)


def _condition(before: Tree, wanted: Condition, about: Record, now: dt.datetime, *, touch: bool) -> Tree:
    """`about` is what the message names: the ReplicaSet of the present template, or the Deployment."""
    name, value, reason = wanted
    message = _MESSAGES[reason].format(kind=about.kind.kind, name=about.name)
    old = _find(before, name)
    said = None if old is None else (old["status"], old["reason"], old["message"])
    if old is not None and said == (value, reason, message) and not touch:
        return old
    moment = stamp(now)
    since = old["lastTransitionTime"] if old is not None and old["status"] == value else moment
    return {
        "type": name,
        "status": value,
        "lastUpdateTime": moment,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
