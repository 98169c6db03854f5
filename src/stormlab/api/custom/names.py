"""Accept a definition's names, or say which one is taken, as its status does (topic 16).

A real cluster does so moments after the definition was made, in two writes; here they are made at once,
so that whoever created it can use it.
"""

from __future__ import annotations

from collections.abc import Iterable

from stormlab.api.custom.kind import condition
from stormlab.api.jsontree import Tree, at

_KINDS = {"kind": "Kind", "listKind": "ListKind"}
_RESOURCES = {"plural": "Plural", "singular": "Singular", "shortNames": "ShortNames"}


def _words(names: Tree, keys: Iterable[str]) -> set[str]:
    found = (names.get(key, ()) for key in keys)
    return {word for item in found for word in ((item,) if isinstance(item, str) else item)}


def _taken(names: Tree, others: list[Tree]) -> tuple[str, str] | None:
    """Return reason and message of the first name that another kind of the group goes by."""
    for keys in (_RESOURCES, _KINDS):
        used = {word for other in others for word in _words(other, keys)}
        for key, shown in keys.items():
            for word in sorted(_words(names, (key,)) & used):
                return f"{shown}Conflict", f'"{word}" is already in use'
    return None


def _condition(name: str, status: str, reason: str, message: str, now: str) -> Tree:
    return {
        "type": name,
        "status": status,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


def statuses(definition: Tree, others: Iterable[Tree], now: str) -> list[Tree]:
    """Return the statuses to write one after another; none where the present one is right.

    `others` are the definitions that are there besides; `now` is what new conditions are stamped with.
    """
    spec, status = definition["spec"], definition["status"]
    same_group = [
        other["status"]["acceptedNames"]
        for other in others
        if other["spec"]["group"] == spec["group"] and condition(other, "NamesAccepted")
    ]
    names: Tree = spec["names"]
    conflict = _taken(names, same_group)
    kept = [
        item
        for item in at(status, "conditions", default=[])
        if item["type"] not in {"NamesAccepted", "Established"}
    ]
    if conflict is not None:
        return _refused(definition, kept, conflict, now)
    if status["acceptedNames"] == names and condition(definition, "Established"):
        return []
    accepted = _condition("NamesAccepted", "True", "NoConflicts", "no conflicts found", now)
    told = "the initial names have been accepted"
    steps = [
        _condition("Established", "False", "Installing", told, now),
        _condition("Established", "True", "InitialNamesAccepted", told, now),
    ]
    if condition(definition, "Established"):
        steps = steps[1:]
    return [{**status, "acceptedNames": names, "conditions": [accepted, step, *kept]} for step in steps]


def _refused(definition: Tree, kept: list[Tree], conflict: tuple[str, str], now: str) -> list[Tree]:
    status = definition["status"]
    listed = at(status, "conditions", default=[])
    if condition(definition, "Established") or any(item["message"] == conflict[1] for item in listed):
        return []  # what is served stays served under the names it has
    refused = [
        _condition("NamesAccepted", "False", *conflict, now),
        _condition("Established", "False", "NotAccepted", "not all names are accepted", now),
    ]
    return [{**status, "conditions": [*refused, *kept]}]
