"""What a watch told of each object: the states it went through, whatever number of writes brought them about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """Of one object: its states without repetitions, and its first and last event."""

    states: tuple[Any, ...]
    first: Json
    last: Json

    def follows(self, recorded: Story) -> bool:
        """Whether it went the recorded way: a pod through each state, and what counts pods through no other.

        A controller that looks once where another looks twice may miss a count.
        """
        kind = self.first["object"]["kind"]
        if kind == "Pod":
            return self.states == recorded.states
        if kind == "EndpointSlice":
            same = len(self.states) == len(recorded.states)
            return same and all(map(_within, self.states, recorded.states))
        return _within(self.states, recorded.states)


def _within(some: tuple[Any, ...], whole: tuple[Any, ...]) -> bool:
    """Whether all of `some` come in `whole`, in that order."""
    left = iter(whole)
    return all(state in left for state in some)


def stories(events: list[Json]) -> list[Story]:
    """One for each object, in the order in which they appeared."""
    by_uid: dict[str, list[Json]] = {}
    for event in events:
        by_uid.setdefault(event["object"]["metadata"]["uid"], []).append(event)
    return [_story(listed) for listed in by_uid.values()]


def _story(events: list[Json]) -> Story:
    if events[0]["object"]["kind"] == "EndpointSlice":
        return Story(_of_endpoints(events), events[0], events[-1])
    states: list[Any] = []
    for event in events:
        told = "gone" if event["type"] == "DELETED" else _STATE[event["object"]["kind"]](event["object"])
        if told not in states[-1:]:
            states.append(told)
    return Story(tuple(states), events[0], events[-1])


def _pod(pod: Json) -> tuple[Any, ...]:
    status = pod["status"]
    conditions = {item["type"]: item["status"] for item in status.get("conditions") or ()}
    containers = [next(iter(item["state"])) for item in status.get("containerStatuses") or ()]
    ending = pod["metadata"].get("deletionGracePeriodSeconds")
    bound = "nodeName" in pod["spec"]
    return status["phase"], conditions.get("Ready"), *containers, bound, ending


def _counts(*names: str) -> Callable[[Json], tuple[Any, ...]]:
    def told(found: Json) -> tuple[Any, ...]:
        return tuple(found["status"].get(name, 0) for name in names)

    return told


def _endpoints(found: Json) -> tuple[int, int]:
    subsets = found.get("subsets") or ()
    names = ("addresses", "notReadyAddresses")
    ready, unready = (sum(len(part.get(name) or ()) for part in subsets) for name in names)
    return ready, unready


def _of_endpoints(events: list[Json]) -> tuple[Any, ...]:
    """What a slice told of each of its endpoints: ready, serving, terminating."""
    found: dict[str, list[Any]] = {}
    for event in events:
        for item in event["object"]["endpoints"] or ():
            told = tuple(item["conditions"][name] for name in ("ready", "serving", "terminating"))
            states = found.setdefault(item["targetRef"]["uid"], [])
            if told not in states[-1:]:
                states.append(told)
    return tuple(map(tuple, found.values()))


_STATE: dict[str, Callable[[Json], Any]] = {
    "Pod": _pod,
    "Deployment": _counts("updatedReplicas", "readyReplicas"),
    "ReplicaSet": _counts("replicas", "readyReplicas"),
    "StatefulSet": _counts("readyReplicas"),
    "DaemonSet": _counts("desiredNumberScheduled", "numberReady"),
    "Endpoints": _endpoints,
}
