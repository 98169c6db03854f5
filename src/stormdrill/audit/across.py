"""Invariants over the books of all cells together: each cell's figure is asked, and their sum must be right.

Money between cells is in the books of one cell and not yet in another's while it is under way, so the sum is waited
for, up to a limit. What it then is, is the result. A cell that cannot be read leaves it unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from stormdrill import wait
from stormdrill.audit.books import Books, InvariantResult, Mark, Reader
from stormdrill.errors import DeadlineError, TargetError
from stormdrill.estate_books import Across

LISTED = 20
"""How many keys are told of those that do not cancel."""
_POLL_S = 0.5


class Asked(Reader, Protocol):
    """A reader that can be asked single queries."""

    def number(self, query: str) -> int:
        """The one number that `query` gives now. TargetError when it cannot be had."""

    def by_key(self, query: str) -> Mapping[str, int]:
        """The sums of (key, amount) that `query` gives now, by key. TargetError when they cannot be had."""


class AcrossReader:
    """Reads what `whole` reads, and then asks `cells` what must be right over all of them."""

    def __init__(self, whole: Reader, cells: Mapping[str, Asked], across: Iterable[Across]) -> None:
        self._whole = whole
        self._cells = cells
        self._across = tuple(across)

    def high_water(self) -> Mark:
        """As of the books themselves. May raise TargetError."""
        return self._whole.high_water()

    def read(self, since: Mark, keys: Iterable[str]) -> Books:
        """The books, and each invariant over all cells once it is right, or at its limit. Never raises."""
        books = self._whole.read(since, keys)
        if books.complete:
            results = [self._result(each) for each in self._across]
        else:
            results = [InvariantResult(each.id, None, each.expect, why=books.why) for each in self._across]
        return replace(books, invariants=(*books.invariants, *results))

    def _result(self, wanted: Across) -> InvariantResult:
        found: dict[str, int] = {}

        def right() -> bool:
            found.update({cell: reader.number(wanted.query) for cell, reader in self._cells.items()})
            return sum(found.values()) == wanted.expect

        try:
            wait.until(right, deadline_s=wanted.within_s, what=wanted.id, poll_s=_POLL_S)
        except DeadlineError:
            pass  # it is as it is
        except TargetError as error:
            return InvariantResult(wanted.id, None, wanted.expect, why=str(error))
        total = sum(found.values())
        odd = self._odd(wanted) if total != wanted.expect else {}
        return InvariantResult(wanted.id, total, wanted.expect, parts=found, odd=odd)

    def _odd(self, wanted: Across) -> dict[str, int]:
        """The keys whose amounts do not cancel over all cells, none when they cannot be had."""
        if wanted.by_key is None:
            return {}
        total: Counter[str] = Counter()
        try:
            for reader in self._cells.values():
                total.update(reader.by_key(wanted.by_key))
        except TargetError:
            return {}
        return dict(sorted((key, amount) for key, amount in total.items() if amount)[:LISTED])
