"""Every refusal that a phone may get, from the tree of problems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from stormbank.openapi.shapes import Schema
from stormbank.problem import Problem, Shed, Unavailable

ALWAYS = (400, 401, 408, 413, 415, 421, 429, 431, 500, 502, 503, 504)
"""Statuses that any operation may answer with."""


class EdgeAnswer(NamedTuple):
    """An answer that no gateway gave, but the edge before them; `error` is as stable as a Problem's."""

    status: int
    error: str
    about: str


EDGE: Final = (
    EdgeAnswer(400, "malformed", "The bytes are not a request of HTTP/1.1"),
    EdgeAnswer(408, "timeout", "The request did not come as a whole in time"),
    EdgeAnswer(500, "internal", "The edge itself has failed"),
    EdgeAnswer(502, "bad_gateway", "A gateway broke off amid its answer: what was asked may have been done"),
    EdgeAnswer(
        502,
        "repeated",
        "Refused on a second try, while the first may have been done: ask again under the same key",
    ),
    EdgeAnswer(
        502, "no_gateway", "No gateway answers any more, and one that did may have done what was asked"
    ),
    EdgeAnswer(503, "no_gateway", "No gateway of any site answers, and nothing was done"),
    EdgeAnswer(504, "deadline", "The gateway did not answer in time"),
)
"""All that the edge (topology/kubernetes/base/edge/region/haproxy.cfg) says of its own accord."""


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
    every = problems()
    statuses = sorted({*every, *(each.status for each in EDGE)})
    return {f"Problem{status}": _response(every.get(status, ()), status) for status in statuses}


def _response(kinds: tuple[type[Problem], ...], status: int) -> Schema:
    about = {kind.error: _first_line(kind) for kind in kinds}
    about |= {each.error: each.about for each in EDGE if each.status == status and each.error not in about}
    said = "; ".join(f"`{error}`: {what}" for error, what in about.items())
    answer: Schema = {
        "description": said,
        "content": {"application/json": {"schema": _schema(kinds, tuple(about))}},
    }
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


def _schema(kinds: tuple[type[Problem], ...], errors: tuple[str, ...]) -> Schema:
    told: Schema = {"error": {"enum": list(errors)}}
    # The edge's own answers have reasons of their own.
    if len(errors) == len(kinds) and all(kind.reasons for kind in kinds):
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
