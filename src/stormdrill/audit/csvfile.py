"""Books from a CSV export that somebody puts in place before the audit."""

from __future__ import annotations

import csv
from collections.abc import Iterable

from stormdrill.audit.books import Books, Mark, Movement, key_text
from stormdrill.errors import InputError
from stormdrill.estate_books import CsvAudit
from stormdrill.records.layout import key_bytes

_SHOWS = ("lost", "duplicated", "altered", "refused_booked")
"""No ghosts: a row of an unknown key may be somebody else's, or older than this run."""


class CsvReader:
    """Reads the file at audit time, wherever it came from."""

    def __init__(self, audit: CsvAudit) -> None:
        self._audit = audit

    def high_water(self) -> int:
        """Always 0: the export holds what it holds; movements of older keys are nobody's in this run."""
        return 0

    def read(self, since: Mark, keys: Iterable[str]) -> Books:
        """Every row; one that cannot be read makes the books incomplete. Only rows of known keys are kept."""
        audit = self._audit
        try:
            wanted = {key_bytes(key) for key in keys}
            with audit.file.open(encoding="utf-8-sig", newline="") as stream:
                rows = csv.DictReader(stream)
                needed = [audit.key_column, audit.amount_column]
                optional = (audit.source_column, audit.target_column, audit.id_column)
                needed += [column for column in optional if column]
                if lacking := [column for column in needed if column not in (rows.fieldnames or [])]:
                    return Books.incomplete(
                        "csv", since, f"{audit.file.name} has no column {', '.join(lacking)}"
                    )
                movements = [self._movement(row, rows.line_num) for row in rows]
        except OSError as error:
            return Books.incomplete("csv", since, f"{audit.file}: {error.strerror}")
        except (ValueError, csv.Error) as error:
            return Books.incomplete("csv", since, f"{audit.file}: {error}")
        except InputError as error:
            return Books.incomplete("csv", since, f"the witness's keys are not known: {error}")
        kept = tuple(m for m in movements if key_bytes(m.key) in wanted)
        return Books("csv", complete=True, why="", since=since, movements=kept, invariants=(), shows=_SHOWS)

    def _movement(self, row: dict[str, str], line: int) -> Movement:
        audit = self._audit

        def number(column: str | None) -> int | None:
            text = row.get(column) if column else None
            try:
                return int(text) if text not in (None, "") else None
            except ValueError:
                raise ValueError(f"line {line}: {column} is not a whole number: {text!r}") from None

        amount = number(audit.amount_column)
        key = row.get(audit.key_column)
        if not key or amount is None:
            raise ValueError(f"line {line}: no {audit.key_column if not key else audit.amount_column}")
        return Movement(
            key_text(key),
            amount,
            number(audit.source_column),
            number(audit.target_column),
            number(audit.id_column),
        )
