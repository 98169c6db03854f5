"""Audit readers: what the bank's own books say, read after the drill. One file per kind of reader.

A reader never raises past this edge: what could not be read is a `Books` that is not complete and says why.
"""

from __future__ import annotations

from dataclasses import replace

from stormdrill.audit.across import AcrossReader
from stormdrill.audit.books import Books, Mark, Movement, Reader, mark_of
from stormdrill.audit.cells import CellsReader
from stormdrill.audit.csvfile import CsvReader
from stormdrill.audit.http import HttpReader
from stormdrill.audit.none import NoReader
from stormdrill.audit.sql import SqlReader
from stormdrill.estate_books import Audit, CsvAudit, HttpAudit, SqlAudit

__all__ = ["Books", "Mark", "Movement", "Reader", "mark_of", "reader_of"]


def reader_of(audit: Audit, secret: str | None = None) -> Reader:
    """The reader a topology asks for; `secret` is its password or bearer token, already resolved."""
    if isinstance(audit, SqlAudit):
        return _sql(audit, secret)
    if isinstance(audit, HttpAudit):
        return HttpReader(audit, secret)
    if isinstance(audit, CsvAudit):
        return CsvReader(audit)
    return NoReader(audit)


def _sql(audit: SqlAudit, secret: str | None) -> Reader:
    books = audit.cells or {"": audit.dsn}
    readers = {cell: SqlReader(replace(audit, dsn=dsn, cells={}), secret) for cell, dsn in books.items()}
    whole: Reader = CellsReader(readers) if audit.cells else readers[""]
    return AcrossReader(whole, readers, audit.across) if audit.across else whole
