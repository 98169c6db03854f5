"""What a ledger needs to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stormbank.guard.guarded import GuardRules
from stormbank.request import LARGEST_AMOUNT
from stormbank.settings.capacity import Capacity, not_every_operation, read_capacity
from stormbank.settings.common import Common, not_every_ledger, read_common
from stormbank.settings.flow import read_guard
from stormbank.settings.parse import addresses, dsn, number, or_off, switch, url, whole, zone, zones
from stormbank.settings.reader import Reader


@dataclass(frozen=True)
class Clearing:
    """Where payments leave the bank: `timeout_s` for each answer, after which what became of the order is unknown.

    `one_order` off makes a new order of every attempt.
    """

    url: str
    timeout_s: float
    one_order: bool


@dataclass(frozen=True)
class LedgerSettings:
    """`home` is where a new bank's map has the cell; times in seconds. `code_tries`: None for any number.

    `zones` are all that there are, where a cell may be given its home; empty when nobody said.
    `transfer_limit` is the most that one transfer or payment may move, in fen.
    `stale_max_s` is how old what a standby shows may be while there is no primary; None: it is not asked.
    `ledgers` by cell, or none: then no customer can send to another cell; `guard` stands around each.
    `outbox_lease_s` is for how long a ledger takes a row of the outbox, `outbox_parallel` how many at a time, and
    `recheck_s` how much of what was settled with a cell before its database was promoted is looked after again.
    """

    common: Common
    cell: str
    home: str
    zones: tuple[str, ...]
    db_dsn: str
    db_password: str | None
    db_pool: int
    db_search_s: float
    stale_max_s: float | None
    capacity: Capacity
    idempotency: bool
    code_tries: int | None
    customers: int
    transfer_limit: int
    ledgers: Mapping[str, tuple[str, ...]]
    guard: GuardRules
    outbox: bool
    outbox_lease_s: float
    outbox_parallel: int
    recheck_s: float
    clearing: Clearing | None


def read(reader: Reader) -> LedgerSettings:
    """Read the settings of a ledger; SettingsError lists all that is wrong."""
    common = read_common(reader)
    unread: int | None = None
    not_said: float | None = None
    settings = LedgerSettings(
        common=common,
        cell=reader.read("BANK_CELL", common.only_cell, str, ""),
        # Whoever founds a bank knows no better home than its own zone.
        home=reader.read("BANK_HOME", reader.given("BANK_ZONE") or "none", zone, ""),
        zones=reader.read("BANK_ZONES", "", zones, ()),
        db_dsn=reader.read("BANK_DB_DSN", "postgresql://bank@localhost:5432/bank", dsn, ""),
        db_password=reader.given("BANK_DB_PASSWORD"),
        db_pool=reader.read("BANK_DB_POOL", "6", whole(2), 2),
        db_search_s=reader.read("BANK_DB_SEARCH_S", "0.1", number(0, above=True), 0.1),
        stale_max_s=reader.read("BANK_STALE_MAX", "30", or_off(number(0, above=True)), not_said),
        capacity=read_capacity(reader),
        idempotency=reader.read("BANK_IDEMPOTENCY", "on", switch, True),
        code_tries=reader.read("BANK_CODE_TRIES", "5", or_off(whole(1)), unread),
        customers=reader.read("BANK_CUSTOMERS", "10000", whole(1), 1),
        transfer_limit=reader.read("BANK_TRANSFER_LIMIT", str(LARGEST_AMOUNT), whole(1), 1),
        ledgers=reader.read("BANK_LEDGERS", "", addresses("CELL", empty=True), {}),
        guard=read_guard(reader),
        outbox=reader.read("BANK_OUTBOX", "on", switch, True),
        outbox_lease_s=reader.read("BANK_OUTBOX_LEASE_S", "5", number(0, above=True), 5.0),
        outbox_parallel=reader.read("BANK_OUTBOX_PARALLEL", "8", whole(1), 1),
        recheck_s=reader.read("BANK_TRANSIT_RECHECK_S", "600", number(0), 0.0),
        clearing=_clearing(reader),
    )
    reader.settle(lambda: _contradictions(settings))
    return settings


def _clearing(reader: Reader) -> Clearing | None:
    """Read where payments leave the bank; None is nowhere, and they are booked and nothing more."""
    if reader.given("BANK_CLEARING_URL") is None:
        return None
    return Clearing(
        url=reader.read("BANK_CLEARING_URL", "", url, ""),
        timeout_s=reader.read("BANK_CLEARING_TIMEOUT_S", "1", number(0, above=True), 1.0),
        one_order=reader.read("BANK_CLEARING_ONE_ORDER", "on", switch, True),
    )


def _contradictions(settings: LedgerSettings) -> Iterator[str]:
    yield from not_every_operation(settings.capacity)
    cells = settings.common.cells.names
    if settings.cell not in cells:
        yield f"BANK_CELL={settings.cell!r}: must be one of BANK_CELLS, {', '.join(cells)}"
    if settings.ledgers:
        yield from not_every_ledger(settings.common, settings.ledgers)
    if settings.clearing is not None and settings.clearing.timeout_s * 2 > settings.outbox_lease_s:
        yield "BANK_CLEARING_TIMEOUT_S: two answers must fit into BANK_OUTBOX_LEASE_S"
