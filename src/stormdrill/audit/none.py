"""No reader: the books stay closed, and data loss cannot be shown."""

from __future__ import annotations

from collections.abc import Iterable

from stormdrill.audit.books import Books, Mark
from stormdrill.estate_books import NoAudit


class NoReader:
    """Reads nothing and says so."""

    def __init__(self, audit: NoAudit) -> None:
        self._why = audit.why

    def high_water(self) -> int:
        """Always 0."""
        return 0

    def read(self, since: Mark, keys: Iterable[str]) -> Books:  # noqa: ARG002 - the protocol's
        """Incomplete by nature."""
        return Books.incomplete("none", since, self._why)
