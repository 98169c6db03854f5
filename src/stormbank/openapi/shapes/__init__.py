"""How each operation looks on the wire: one file a subject, each with SHAPES, by the operation's name.

A file put here is found by itself; scripts/openapi_page.py then writes docs/openapi.json anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """`body` is None for an operation without one; `status` is that of success, `answer` its body.

    `problems` are statuses that only some operations answer with: 403, 409, 422. `query` are parameters of the address,
    all needed.
    """

    summary: str
    status: int
    answer: Schema
    body: Schema | None = None
    problems: tuple[int, ...] = ()
    query: dict[str, Schema] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    """Further headers that a phone may send, and what they say."""


def record(required: dict[str, Schema], **optional: Schema) -> Schema:
    """Make the schema of an object with exactly these fields."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def whole(low: int, high: int, what: str) -> Schema:
    """Make the schema of a whole number."""
    return {"type": "integer", "minimum": low, "maximum": high, "description": what}


def words(what: str, longest: int = 64) -> Schema:
    """Make the schema of a short text that a person may type."""
    what = f"{what}, in printable characters"
    return {"type": "string", "minLength": 1, "maxLength": longest, "description": what}
