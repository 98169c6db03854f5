"""Books of several cells, each in a database of its own: read at the same time, and put together as one set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from stormdrill.audit.books import ALL_HARMS, Books, Mark, Reader, mark_of
from stormdrill.errors import TargetError

T = TypeVar("T")


class CellsReader:
    """One reader for each cell. A cell that cannot be read makes the whole incomplete, and is named."""

    def __init__(self, readers: Mapping[str, Reader]) -> None:
        self._readers = dict(readers)

    def high_water(self) -> Mark:
        """Each cell's mark. TargetError naming the cells that do not answer."""
        wrong: list[str] = []

        def ask(cell: str) -> int:
            try:
                return mark_of(self._readers[cell].high_water(), cell)
            except TargetError as error:
                wrong.append(f"{cell}: {error}")
                return 0

        found = self._each(ask)
        if wrong:
            raise TargetError("; ".join(sorted(wrong)))
        return found

    def read(self, since: Mark, keys: Iterable[str]) -> Books:
        """Movements and invariants of every cell, each marked with its own."""
        found = self._each(lambda cell: self._readers[cell].read(mark_of(since, cell), keys))
        unread = tuple(cell for cell, books in found.items() if not books.complete)
        shows = set(ALL_HARMS).intersection(*(books.shows for books in found.values()))
        return Books(
            reader=next(iter(found.values())).reader,
            complete=not unread,
            why="; ".join(f"{cell}: {found[cell].why}" for cell in unread),
            since=since,
            movements=tuple(
                replace(movement, cell=cell) for cell, books in found.items() for movement in books.movements
            ),
            invariants=tuple(
                replace(result, cell=cell) for cell, books in found.items() for result in books.invariants
            ),
            shows=tuple(name for name in ALL_HARMS if name in shows),
            unread=unread if len(unread) < len(found) else (),
        )

    def _each(self, ask: Callable[[str], T]) -> dict[str, T]:
        with ThreadPoolExecutor(max_workers=len(self._readers)) as pool:
            return dict(zip(self._readers, pool.map(ask, self._readers), strict=True))
