"""Every refusal that a phone may get, from the tree of problems."""

from __future__ import annotations

from collections.abc import Iterator

from stormbank.openapi.shapes import Schema
from stormbank.problem import Problem, Shed, Unavailable

ALWAYS = (400, 401, 408, 413, 415, 421, 429, 431, 500, 503, 504)
"""Statuses that any operation may answer with."""


def problems() -> dict[int, tuple[type[Problem], ...]]:
    """Return the kinds of problems by status, each with its stable `error`."""
    found: dict[int, list[type[Problem]]] = {}
    every: list[type[Problem]] = [Problem, *_below(Problem)]
    for kind in every:
        of_status = found.setdefault(kind.status, [])
        if kind.error not in [other.error for other in of_status]:
            of_status.append(kind)
    return {status: tuple(kinds) for status, kinds in sorted(found.items())}


def _below(kind: type[Problem]) -> Iterator[type[Problem]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def responses() -> dict[str, Schema]:
    """Return a named answer for each status."""
    return {f"Problem{status}": _response(kinds) for status, kinds in problems().items()}


def _response(kinds: tuple[type[Problem], ...]) -> Schema:
    said = "; ".join(f"`{kind.error}`: {_first_line(kind)}" for kind in kinds)
    answer: Schema = {"description": said, "content": {"application/json": {"schema": _schema(kinds)}}}
    if any(issubclass(kind, (Shed, Unavailable)) for kind in kinds):
        seconds = {"type": "integer", "minimum": 1}
        answer["headers"] = {
            "Retry-After": {
                "required": True,
                "schema": seconds,
                "description": "seconds until it is worth trying again",
            }
        }
    return answer


def _first_line(kind: type[Problem]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0].rstrip(".")


def _schema(kinds: tuple[type[Problem], ...]) -> Schema:
    told: Schema = {"error": {"enum": [kind.error for kind in kinds]}}
    if all(kind.reasons for kind in kinds):
        told["reason"] = {"enum": [*dict.fromkeys(str(each) for kind in kinds for each in kind.reasons)]}
    return {"allOf": [{"$ref": "#/components/schemas/Problem"}], "properties": told}


PROBLEM = {
    "type": "object",
    "description": "Why not. `error` and `reason` are stable and for programs, `detail` is for people. `outcome` says "
    "of money whether it may have moved: `none` or `unknown`; then ask again under the same key.",
    "properties": {
        "error": {"type": "string"},
        "reason": {"type": "string"},
        "detail": {"type": "string"},
        "outcome": {"enum": ["none", "unknown"]},
    },
    "required": ["error", "reason"],
}
