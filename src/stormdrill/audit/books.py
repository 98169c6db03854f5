"""The books as read: movements since a mark, invariants, whether that is all (`stormdrill.books/1`)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

SCHEMA = "stormdrill.books/1"


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement in the books. Amounts in minor units; what a reader cannot know is None."""

    key: str
    amount: int | None
    source: int | None
    target: int | None
    id: int | None


@dataclass(frozen=True)
class InvariantResult:
    """What an invariant's query gave, and what it must give."""

    id: str
    value: int | None
    expect: int


@dataclass(frozen=True)
class Books:
    """Everything one audit read. Not `complete`: absence from `movements` proves nothing; `why` says why."""

    reader: str
    complete: bool
    why: str
    since: int
    movements: tuple[Movement, ...]
    invariants: tuple[InvariantResult, ...]

    @classmethod
    def incomplete(cls, reader: str, since: int, why: str) -> Books:
        """Nothing could be read."""
        return cls(reader, complete=False, why=why, since=since, movements=(), invariants=())

    def to_json(self) -> dict[str, Any]:
        """The stored form; movements as rows, for there are many."""
        return {
            "schema": SCHEMA,
            "reader": self.reader,
            "complete": self.complete,
            "why": self.why,
            "since": self.since,
            "movements": [[m.key, m.amount, m.source, m.target, m.id] for m in self.movements],
            "invariants": [{"id": i.id, "value": i.value, "expect": i.expect} for i in self.invariants],
        }


class Reader(Protocol):
    """Reads the books of one estate."""

    def high_water(self) -> int:
        """A mark taken before the load starts: later movements have larger ids. May raise TargetError."""

    def read(self, since: int, keys: Iterable[str]) -> Books:
        """The movements after the mark; `keys` are those the witness knows. Never raises."""


def key_text(key: object) -> str:
    """A key in one notation: UUIDs in lower case with dashes, anything else as its own text."""
    text = str(key)
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return text
