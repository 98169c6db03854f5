"""What a batch process needs to know, and whoever does by hand what it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stormbank.dayend.terms import Terms
from stormbank.settings.common import Common, read_common
from stormbank.settings.parse import dsn, number, switch, url, whole
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class BatchSettings:
    """`databases`: address by cell, of the cells that are worked on. `once` off forgets what was paid at each start.

    `clearing_url` None: payments do not leave the bank. Times in seconds.
    """

    common: Common
    databases: Mapping[str, str]
    db_password: str | None
    db_search_s: float
    terms: Terms
    once: bool
    clearing_url: str | None
    reconcile_every_s: float


def read(reader: Reader) -> BatchSettings:
    """Read the settings of a batch process; SettingsError lists all that is wrong."""
    common = read_common(reader)
    unread: dict[str, str] = {}
    settings = BatchSettings(
        common=common,
        databases=reader.read("BANK_DB_DSNS", "", _databases, unread) or _own(reader, common),
        db_password=reader.given("BANK_DB_PASSWORD"),
        db_search_s=reader.read("BANK_DB_SEARCH_S", "0.5", number(0, above=True), 0.5),
        terms=Terms(
            rate_bp=reader.read("BANK_INTEREST_BP", "35", whole(0), 0),
            chunk=reader.read("BANK_BATCH_CHUNK", "200", whole(1), 1),
            rest_s=reader.read("BANK_BATCH_REST_S", "0.05", number(0), 0.0),
            lease_s=reader.read("BANK_BATCH_LEASE_S", "5", number(0, above=True), 1.0),
            every_s=reader.read("BANK_DAY_END_EVERY_S", "0", number(0), 0.0),
        ),
        once=reader.read("BANK_BATCH_ONCE", "on", switch, True),
        clearing_url=reader.given("BANK_CLEARING_URL") and reader.read("BANK_CLEARING_URL", "", url, None),
        reconcile_every_s=reader.read("BANK_RECONCILE_EVERY_S", "60", number(0), 0.0),
    )
    reader.settle(lambda: _contradictions(settings))
    return settings


def _own(reader: Reader, common: Common) -> dict[str, str]:
    """Return the one cell of a process that is set as its ledgers are."""
    cell = reader.read("BANK_CELL", common.only_cell, str, "")
    return {cell: reader.read("BANK_DB_DSN", "postgresql://bank@localhost:5432/bank", dsn, "")}


def _databases(text: str) -> dict[str, str]:
    """Read CELL=DSN with blanks between: a DSN may hold commas."""
    found: dict[str, str] = {}
    for part in text.split():
        name, equals, address = part.partition("=")
        if not equals or not name:
            raise ValueError(f"{part!r} is not CELL=DSN")
        if name in found:
            raise ValueError(f"{name} is named twice")
        found[name] = dsn(address)
    return found


def _contradictions(settings: BatchSettings) -> Iterator[str]:
    strangers = sorted(set(settings.databases) - set(settings.common.cells.names))
    if strangers:
        names = ", ".join(repr(each) for each in strangers)
        yield f"BANK_CELL or BANK_DB_DSNS: {names}: must be of BANK_CELLS, {', '.join(settings.common.cells.names)}"
