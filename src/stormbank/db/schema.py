"""Founding the bank: the schema and the customers, by whichever ledger comes first on a writable primary."""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import Final

from stormbank.cells import Cells
from stormbank.db.pool import Connection
from stormbank.transit import transit_accounts

VERSION: Final = 4
_PARTS: Final = ("epoch.sql", "schema.sql", "transit.sql", "dayend.sql", "clearing.sql")
CLEARING_ACCOUNTS: Final = 16
OPENING_BALANCE: Final = 100_000_000
_LOCK: Final = 0x5354_4F52_4D42  # one number for all ledgers, no meaning beyond that

# Synthetic customers with known passwords, each with one phone. A real bank hashes slowly on purpose; here the
# declared service time of login stands for that, so that the processor stays free.
_CUSTOMERS: Final = """
WITH born AS (
    INSERT INTO account (id, kind, opening, balance)
    SELECT id, 'customer', $3::bigint, $3::bigint FROM generate_series($1::bigint, $2::bigint) id
    WHERE id % $4::bigint = $5::bigint
    RETURNING id
), known AS (
    INSERT INTO customer (id, salt, password_hash)
    SELECT id, to_hex(id), sha256(convert_to(to_hex(id) || ':pw-' || id, 'UTF8')) FROM born
    RETURNING id
)
INSERT INTO device (customer, device) SELECT id, 'device-' || id FROM known
"""
_CLEARING: Final = """
INSERT INTO account (id, kind, opening, balance)
SELECT -id, 'clearing', 0, 0 FROM generate_series(1, $1::int) id
"""
_TRANSIT: Final = """
INSERT INTO account (id, kind, opening, balance) SELECT id, 'transit', 0, 0 FROM unnest($1::bigint[]) id
"""
_EPOCH: Final = """
INSERT INTO cell_epoch (promotion, version, home, timeline) VALUES (1, 0, $1, bank_timeline())
"""
_FOUNDED: Final = "SELECT EXISTS (SELECT FROM pg_tables WHERE tablename = 'bank_schema')"

log = logging.getLogger(__name__)


class SchemaError(ConnectionRefusedError):
    """The database is of another version of the bank, or another cell's: not one this ledger may write to."""


async def ensure(connection: Connection, cells: Cells, cell: str, customers: int, home: str) -> None:
    """Create what is missing: tables, functions, the bank's own accounts, those of 1..`customers` who are of `cell`.

    A new bank's first epoch is 1.0, and the map has the cell at home in zone `home`.
    Safe to race. SchemaError when the database is another's.
    """
    if await _customers_there(connection, cells, cell) >= customers:
        return
    async with connection.transaction():
        # Waiting for the other founder takes longer than a request may wait for a row.
        await connection.execute("SET LOCAL lock_timeout = '30s'")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        there = await _customers_there(connection, cells, cell)
        if there < 0:
            for part in _PARTS:
                await connection.execute((files("stormbank.db") / part).read_text(encoding="utf-8"))
            await connection.execute(_CLEARING, CLEARING_ACCOUNTS)
            await connection.execute(_TRANSIT, list(transit_accounts(cells, cell)))
            await connection.execute(_EPOCH, home)
            await connection.execute(
                "INSERT INTO bank_schema VALUES ($1, $2, $3, 0)", VERSION, cell, list(cells.names)
            )
            there = 0
        if there < customers:
            share = len(cells.names), cells.remainder(cell)
            await connection.execute(_CUSTOMERS, there + 1, customers, OPENING_BALANCE, *share)
            await connection.execute("UPDATE bank_schema SET customers = $1", customers)
            log.info("bank founded: customers %d to %d, as far as they are of %s", there + 1, customers, cell)


async def check(connection: Connection, cells: Cells, cell: str) -> None:
    """Create nothing; SchemaError unless the bank of `cell` is there."""
    if await _customers_there(connection, cells, cell) < 0:
        raise SchemaError("no bank has been founded in the database")


async def _customers_there(connection: Connection, cells: Cells, cell: str) -> int:
    """Return up to which number there are customers, -1 when there is no bank yet."""
    # Asked of the rows: to_regclass answers from a cache that waiting for the lock does not refresh.
    if not await connection.fetchval(_FOUNDED):
        return -1
    row = await connection.fetchrow("SELECT * FROM bank_schema")
    if row["version"] != VERSION:
        raise SchemaError(f"the database holds schema version {row['version']}, not {VERSION}")
    if (row["cell"], tuple(row["cells"])) != (cell, cells.names):
        raise SchemaError(
            f"the database is {row['cell']}'s, one of {', '.join(row['cells'])}; "
            f"this ledger is {cell}'s, one of {', '.join(cells.names)}"
        )
    return int(row["customers"])
