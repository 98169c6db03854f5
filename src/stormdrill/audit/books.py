"""The books as read: movements since a mark, invariants, whether that is all (`stormdrill.books/1`)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

SCHEMA = "stormdrill.books/1"
ALL_HARMS = ("lost", "duplicated", "altered", "ghost", "refused_booked")
"""What can be wrong with movements, by the names that are judged."""
Mark = int | Mapping[str, int]
"""How far books had come: the largest movement id, of each cell where each has books of its own."""


def mark_of(mark: Mark, cell: str) -> int:
    """The mark in the books of a cell."""
    return mark if isinstance(mark, int) else mark.get(cell, 0)


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement in the books. Amounts in minor units; what a reader cannot know is None.

    `cell` is whose books it stands in, where each cell has its own: ids count in each of them.
    """

    key: str
    amount: int | None
    source: int | None
    target: int | None
    id: int | None
    cell: str = ""

    def row(self) -> list[Any]:
        """As it is stored."""
        plain = [self.key, self.amount, self.source, self.target, self.id]
        return [*plain, self.cell] if self.cell else plain


@dataclass(frozen=True)
class InvariantResult:
    """What an invariant's query gave, and what it must give. `why` says why there is no value.

    Of one over all cells, `parts` are what each gave, and `odd` the amounts of some keys that do not cancel.
    """

    id: str
    value: int | None
    expect: int
    cell: str = ""
    why: str = ""
    parts: Mapping[str, int] = field(default_factory=dict)
    odd: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        plain = {"id": self.id, "value": self.value, "expect": self.expect}
        more = {
            "cell": self.cell,
            "why": self.why,
            "parts": dict(self.parts),
            "odd": dict(self.odd),
        }
        return {**plain, **{name: value for name, value in more.items() if value}}


@dataclass(frozen=True)
class Books:
    """Everything one audit read. Not `complete`: absence from `movements` proves nothing; `why` says why.

    `shows` are the harms of which these books could have held a trace; of the others a zero says nothing. `unread`
    are the cells whose books were not read in full, where those of others were.
    """

    reader: str
    complete: bool
    why: str
    since: Mark
    movements: tuple[Movement, ...]
    invariants: tuple[InvariantResult, ...]
    shows: tuple[str, ...]
    unread: tuple[str, ...] = ()

    @classmethod
    def incomplete(cls, reader: str, since: Mark, why: str) -> Books:
        """Nothing could be read."""
        return cls(reader, complete=False, why=why, since=since, movements=(), invariants=(), shows=ALL_HARMS)

    def to_json(self) -> dict[str, Any]:
        """The stored form; movements as rows, for there are many."""
        return {
            "schema": SCHEMA,
            "reader": self.reader,
            "complete": self.complete,
            "why": self.why,
            "since": self.since,
            "movements": [movement.row() for movement in self.movements],
            "shows": list(self.shows),
            "invariants": [invariant.to_json() for invariant in self.invariants],
            **({"unread": list(self.unread)} if self.unread else {}),
        }


class Reader(Protocol):
    """Reads the books of one estate."""

    def high_water(self) -> Mark:
        """A mark taken before the load starts: later movements have larger ids. May raise TargetError."""

    def read(self, since: Mark, keys: Iterable[str]) -> Books:
        """The movements after the mark. Never raises.

        `keys` are those of the witness, as they were sent. A reader that does not need them does not take them: that
        may raise InputError when the witness cannot be read, and the books are incomplete then.
        """


def key_text(key: object) -> str:
    """A key in one notation: UUIDs in lower case with dashes, anything else as its own text."""
    text = str(key)
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return text
