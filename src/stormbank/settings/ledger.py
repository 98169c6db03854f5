"""What a ledger needs to know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stormbank.settings.capacity import Capacity, not_every_operation, read_capacity
from stormbank.settings.common import Common, read_common
from stormbank.settings.parse import dsn, number, seconds_or_off, switch, whole, zone
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class LedgerSettings:
    """`home` is where a new bank's map has the cell; times in seconds.

    `stale_max_s` is how old what a standby shows may be while there is no primary; 0: it is not asked.
    """

    common: Common
    cell: str
    home: str
    db_dsn: str
    db_password: str | None
    db_pool: int
    db_search_s: float
    stale_max_s: float
    capacity: Capacity
    idempotency: bool
    customers: int


def read(reader: Reader) -> LedgerSettings:
    """Read the settings of a ledger; SettingsError lists all that is wrong."""
    common = read_common(reader)
    settings = LedgerSettings(
        common=common,
        cell=reader.read("BANK_CELL", common.only_cell, str, ""),
        # Whoever founds a bank knows no better home than its own zone.
        home=reader.read("BANK_HOME", reader.given("BANK_ZONE") or "none", zone, ""),
        db_dsn=reader.read("BANK_DB_DSN", "postgresql://bank@localhost:5432/bank", dsn, ""),
        db_password=reader.given("BANK_DB_PASSWORD"),
        db_pool=reader.read("BANK_DB_POOL", "6", whole(2), 2),
        db_search_s=reader.read("BANK_DB_SEARCH_S", "0.1", number(0, above=True), 0.1),
        stale_max_s=reader.read("BANK_STALE_MAX", "30", seconds_or_off, 0.0),
        capacity=read_capacity(reader),
        idempotency=reader.read("BANK_IDEMPOTENCY", "on", switch, True),
        customers=reader.read("BANK_CUSTOMERS", "10000", whole(1), 1),
    )
    reader.settle(lambda: _contradictions(settings))
    return settings


def _contradictions(settings: LedgerSettings) -> Iterator[str]:
    yield from not_every_operation(settings.capacity)
    cells = settings.common.cells.names
    if settings.cell not in cells:
        yield f"BANK_CELL={settings.cell!r}: must be one of BANK_CELLS, {', '.join(cells)}"
