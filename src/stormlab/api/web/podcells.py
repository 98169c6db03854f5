"""The Ready, Status and Restarts cells of a pod, which sum up many fields."""

from __future__ import annotations

import datetime as dt

from stormlab.api.jsontree import Tree, at
from stormlab.api.web.ages import since


def _statuses(tree: Tree, field: str = "containerStatuses") -> list[Tree]:
    found: list[Tree] = at(tree, "status", field, default=[])
    return found


def ready(tree: Tree, _now: dt.datetime) -> str:
    """Return `1/2`: containers ready of containers wanted."""
    count = sum(bool(status.get("ready")) for status in _statuses(tree))
    return f"{count}/{len(tree['spec'].get('containers', ()))}"


def _container_reason(status: Tree) -> str:
    state = status.get("state") or {}
    if reason := at(state, "waiting", "reason"):
        return str(reason)
    if (ended := state.get("terminated")) is not None:
        if ended.get("reason"):
            return str(ended["reason"])
        return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"
    return ""


def _preparing(tree: Tree) -> str:
    """Return `Init:1/2`, or what keeps an init container from running; nothing once all have succeeded."""
    first = _statuses(tree, "initContainerStatuses")
    for number, container in enumerate(first):
        if at(container, "state", "terminated", "exitCode") == 0:
            continue
        reason = _container_reason(container)
        return f"Init:{reason if reason not in {'', 'PodInitializing'} else f'{number}/{len(first)}'}"
    return ""


def status(tree: Tree, _now: dt.datetime) -> str:
    """Return the pod's state in one word: the phase, or what keeps a container from running."""
    reason = (
        _preparing(tree) or at(tree, "status", "reason") or at(tree, "status", "phase", default="Unknown")
    )
    running = False
    for container in [] if _preparing(tree) else reversed(_statuses(tree)):
        if found := _container_reason(container):
            reason = found
        elif container.get("ready") and "running" in (container.get("state") or {}):
            running = True
    if reason == "Completed" and running:
        conditions = at(tree, "status", "conditions", default=[])
        is_ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
        reason = "Running" if is_ready else "NotReady"
    if "deletionTimestamp" in tree["metadata"]:
        return "Unknown" if at(tree, "status", "reason") == "NodeLost" else "Terminating"
    return str(reason)


def restarts(tree: Tree, now: dt.datetime) -> str:
    """Return `2 (14s ago)`: restarts, and when the last one was."""
    statuses = _statuses(tree)
    count = sum(int(item.get("restartCount", 0)) for item in statuses)
    ended = [at(item, "lastState", "terminated", "finishedAt", default="") for item in statuses]
    last = max(ended, default="")
    return f"{count} ({since(last, now)} ago)" if count and last else str(count)
