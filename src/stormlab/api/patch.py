"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902) on trees, as new values."""

from __future__ import annotations

from typing import Any

from stormlab.api.jsontree import copy


class PatchError(Exception):
    """The patch does not apply to this object."""


def merge(target: Any, change: Any) -> Any:
    """Return `target` with an RFC 7386 merge patch applied; null removes."""
    if not isinstance(change, dict):
        return copy(change)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def _steps(pointer: Any) -> list[str]:
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise PatchError(f"bad pointer {pointer!r}")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _index(parent: list[Any], step: str, *, end: bool) -> int:
    if step == "-" and end:
        return len(parent)
    if not step.isdigit() or int(step) > len(parent) - (0 if end else 1):
        raise PatchError(f"no element {step}")
    return int(step)


def _resolve(document: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list):
            document = document[_index(document, step, end=False)]
        else:
            raise PatchError(f"no member {step}")
    return document


def _add(document: Any, steps: list[str], value: Any) -> Any:
    if not steps:
        return value
    parent = _resolve(document, steps[:-1])
    if isinstance(parent, dict):
        parent[steps[-1]] = value
    elif isinstance(parent, list):
        parent.insert(_index(parent, steps[-1], end=True), value)
    else:
        raise PatchError("parent is neither object nor array")
    return document


def _remove(document: Any, steps: list[str]) -> Any:
    if not steps:
        raise PatchError("cannot remove the document")
    parent = _resolve(document, steps[:-1])
    if isinstance(parent, dict):
        if steps[-1] not in parent:
            raise PatchError(f"no member {steps[-1]}")
        return parent.pop(steps[-1])
    if isinstance(parent, list):
        return parent.pop(_index(parent, steps[-1], end=False))
    raise PatchError("parent is neither object nor array")


def _replace(document: Any, steps: list[str], value: Any) -> Any:
    if not steps:
        return value
    _resolve(document, steps)
    if isinstance(parent := _resolve(document, steps[:-1]), list):
        parent[_index(parent, steps[-1], end=False)] = value
        return document
    return _add(document, steps, value)


def _operation(document: Any, operation: dict[str, Any]) -> Any:
    name, steps = operation.get("op"), _steps(operation.get("path"))
    match name:
        case "add":
            return _add(document, steps, copy(operation.get("value")))
        case "replace":
            return _replace(document, steps, copy(operation.get("value")))
        case "remove":
            _remove(document, steps)
            return document
        case "move":
            return _add(document, steps, _remove(document, _steps(operation.get("from"))))
        case "copy":
            return _add(document, steps, copy(_resolve(document, _steps(operation.get("from")))))
        case "test":
            if not same(_resolve(document, steps), operation.get("value")):
                raise PatchError("test failed")
            return document
    raise PatchError(f"unknown operation {name!r}")


def same(left: Any, right: Any) -> bool:
    """Compare JSON values; unlike Python's `==`, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def json_patch(target: Any, operations: list[Any]) -> Any:
    """Return `target` with all operations applied in order; PatchError when one cannot be."""
    document = copy(target)
    for operation in operations:
        if not isinstance(operation, dict):
            raise PatchError("operation is not an object")
        document = _operation(document, operation)
    return document
