"""The `status` of a Pod as a kubelet writes it: pure, from what is known of its containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from stormlab.node.podspec import Container, PodSpec

Status = dict[str, Any]
State = Mapping[str, Any]
"""A container as the shim knows it."""


@dataclass(frozen=True)
class View:
    """One container at this moment."""

    container: Container
    state: State | None
    """None before the first start."""
    waiting: tuple[str, str] | None
    """Reason and message while it does not run; None when how it ended is to be shown."""
    ready: bool
    started: bool
    will_restart: bool

    @property
    def running(self) -> bool:
        """Whether its first process lives."""
        return self.state is not None and self.state["finished_at"] is None

    def ended(self) -> View:
        """The same in a pod that ends: whatever its restart policy, it does not come back."""
        return replace(self, will_restart=False, ready=False, started=False, waiting=None)


def timestamp(seconds: float) -> str:
    """Unix seconds as the API writes times."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_status(
    pod: PodSpec,
    views: Sequence[View],
    addresses: Mapping[str, str],
    *,
    first: Sequence[View] = (),
    old: Status,
    now: float,
) -> Status:
    """The whole status; `first` are the containers that prepare the pod.

    `old` is the present one: conditions that stay keep their time.
    """
    waiting_for = [view for view in first if not view.ready]
    phase = _first_phase(waiting_for) if waiting_for else _phase(views)
    if waiting_for:
        views = [replace(view, waiting=("PodInitializing", "")) for view in views]
    sandbox = bool(addresses.get("podIP"))
    status: Status = {
        "phase": phase,
        "conditions": _conditions(phase, views, waiting_for, sandbox=sandbox, old=old, now=now),
        "hostIP": addresses["hostIP"],
        "hostIPs": [{"ip": addresses["hostIP"]}],
        "startTime": old.get("startTime") or timestamp(now),
        "containerStatuses": [_container(pod, view) for view in views],
    }
    if first:
        status["initContainerStatuses"] = [_container(pod, view) for view in first]
    if addresses.get("podIP"):
        status |= {"podIP": addresses["podIP"], "podIPs": [{"ip": addresses["podIP"]}]}
    return status


def refused_status(pod: Mapping[str, Any], reason: str, message: str, now: float) -> Status:
    """Status of a pod this node will not run: Pending, with the reason where people look for it."""
    containers = pod["spec"].get("containers") or []
    names = ", ".join(container["name"] for container in containers)
    waiting = {"waiting": {"reason": reason, "message": message}}
    return {
        "phase": "Pending",
        "reason": reason,
        "message": message,
        "conditions": [
            {"type": kind, "status": "False", "lastTransitionTime": timestamp(now)}
            | {"reason": "ContainersNotReady", "message": f"containers with unready status: [{names}]"}
            for kind in ("Ready", "ContainersReady")
        ],
        "containerStatuses": [
            {"name": part["name"], "image": part.get("image", ""), "imageID": "", "state": waiting}
            | {"lastState": {}, "ready": False, "restartCount": 0, "started": False}
            for part in containers
        ],
    }


def _first_phase(waiting_for: Sequence[View]) -> str:
    """Of a pod that is not prepared yet."""
    view = waiting_for[0]
    failed = view.state is not None and not view.running and not view.will_restart
    return "Failed" if failed else "Pending"


def _phase(views: Sequence[View]) -> str:
    if any(view.state is None for view in views):
        return "Pending"
    ended = [view for view in views if not view.running]
    if len(ended) < len(views) or any(view.will_restart for view in ended):
        return "Running"
    failed = any(view.state and view.state["exit_code"] != 0 for view in ended)
    return "Failed" if failed else "Succeeded"


def _conditions(
    phase: str, views: Sequence[View], first: Sequence[View], *, sandbox: bool, old: Status, now: float
) -> list[dict[str, Any]]:
    unready = [view.container.name for view in views if not view.ready]
    reason = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "ContainersNotReady")
    why: dict[str, str | None] = {"reason": reason}
    if reason == "ContainersNotReady":
        why["message"] = f"containers with unready status: [{' '.join(unready)}]"
    why_completed: dict[str, str | None] = why if reason == "PodCompleted" else {}
    wanted: list[tuple[str, bool, dict[str, str | None]]] = [
        ("PodReadyToStartContainers", sandbox and phase in {"Pending", "Running"}, {}),
        ("Initialized", not first, _uninitialized(first) or why_completed),
        ("Ready", not unready, why if unready else {}),
        ("ContainersReady", not unready, why if unready else {}),
    ]
    before = {condition["type"]: condition for condition in old.get("conditions") or ()}
    found = []
    for kind, good, extra in wanted:
        status = "True" if good else "False"
        present = before.get(kind, {})
        since = present["lastTransitionTime"] if present.get("status") == status else timestamp(now)
        # The patch merges a condition into the present one: what no longer holds is taken out by null.
        cleared: dict[str, str | None] = {key: None for key in ("reason", "message") if present.get(key)}
        found.append({"type": kind, "status": status, "lastTransitionTime": since, **cleared, **extra})
    return found


def _uninitialized(first: Sequence[View]) -> dict[str, str | None]:
    if not first:
        return {}
    names = " ".join(view.container.name for view in first)
    return {"reason": "ContainersNotInitialized", "message": f"containers with incomplete status: [{names}]"}


def _container(pod: PodSpec, view: View) -> dict[str, Any]:
    state = view.state
    identity = f"stormlab://{pod.uid}/{view.container.name}/{state['attempt'] if state else 0}"
    previous = state["last"] if state else None
    current: dict[str, Any]
    if state is None:
        current = {"waiting": _waiting(view)}
    elif view.running:
        current = {"running": {"startedAt": timestamp(state["started_at"])}}
    elif view.will_restart and view.waiting is not None:
        current, previous = {"waiting": _waiting(view)}, state
    else:
        current = _terminated(state, identity)
    return {
        "name": view.container.name,
        "state": current,
        "lastState": _terminated(previous, identity) if previous else {},
        "ready": view.ready,
        "restartCount": state["attempt"] if state else 0,
        "image": view.container.image,
        "imageID": f"stormlab://{view.container.image}" if state else "",
        "started": view.started and view.running,
        **({"containerID": identity} if state else {}),
    }


def _waiting(view: View) -> dict[str, str]:
    reason, message = view.waiting or ("ContainerCreating", "")
    return {"reason": reason} | ({"message": message} if message else {})


def _terminated(state: State, identity: str) -> dict[str, Any]:
    code = state["exit_code"]
    reason = "StartError" if state["message"] else "Completed" if code == 0 else "Error"
    if state.get("oom_killed"):
        reason = "OOMKilled"
    base, _, _ = identity.rpartition("/")
    extra = {"signal": state["signal"]} if state["signal"] else {}
    extra |= {"message": state["message"]} if state["message"] else {}
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "startedAt": timestamp(state["started_at"]),
            "finishedAt": timestamp(state["finished_at"]),
            "containerID": f"{base}/{state['attempt']}",
            **extra,
        }
    }
