"""One chunk of a day-end: some customers' interest and how far the day-end has got, in one transaction."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from stormbank.db.pool import Connection
from stormbank.interest import accrue

EXPENSE: Final = -1000
"""The account that interest is paid from."""
OPERATION: Final = "interest"
_SPACE: Final = uuid.UUID("5d1a3c1e-8f0b-4b8e-9b7c-0d2f6f6f7a11")

_ADMIT: Final = "SELECT bank_admit($1, $2)"
_HOLD: Final = "SELECT position, rate_bp, border, done_at FROM day_end WHERE date = $1 FOR UPDATE"
# In the order of their ids, as every movement locks them.
_LOCK: Final = """
SELECT id FROM account WHERE id = $1 OR id IN (
    SELECT id FROM account WHERE kind = 'customer' AND id > $2 ORDER BY id LIMIT $3
) ORDER BY id FOR NO KEY UPDATE
"""
# A statement of its own: it sees what was committed while the locks were waited for. What was booked after the cut is
# of the next day, and taken off again.
_DUE: Final = """
SELECT a.id, a.balance, coalesce(i.remainder, 0) AS remainder, a.balance - coalesce((
    SELECT sum(e.amount) FROM entry e WHERE e.account = a.id AND e.id > $2), 0)::bigint AS closing
FROM account a LEFT JOIN interest i ON i.account = a.id WHERE a.id = ANY ($1::bigint[]) ORDER BY a.id
"""
_MOVEMENTS: Final = """
INSERT INTO movement
    (key, dedupe, operation, from_account, to_account, amount, ordered, unscored, promotion, version)
SELECT key, dedupe, $1, $2, account, amount, false, false, $3, $4
FROM unnest($5::uuid[], $6::uuid[], $7::bigint[], $8::bigint[]) AS due (key, dedupe, account, amount)
RETURNING id, to_account
"""
_ENTRIES: Final = """
INSERT INTO entry (movement, account, amount, balance_after)
SELECT movement, account, amount, balance
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
    AS line (movement, account, amount, balance, place) ORDER BY place
"""
_BALANCES: Final = """
UPDATE account a SET balance = after.balance FROM unnest($1::bigint[], $2::bigint[]) AS after (id, balance)
WHERE a.id = after.id
"""
_REMAINDERS: Final = """
INSERT INTO interest (account, remainder) SELECT * FROM unnest($1::bigint[], $2::bigint[])
ON CONFLICT (account) DO UPDATE SET remainder = excluded.remainder
"""
_PROGRESS: Final = """
UPDATE day_end SET position = greatest(position, $2), accounts = accounts + $3, interest = interest + $4,
    done_at = CASE WHEN $5 THEN clock_timestamp() END WHERE date = $1
"""


@dataclass(frozen=True)
class Chunk:
    """What was paid: to `accounts` customers, `position` the last of them, `interest` fen; `done` when all have it."""

    position: int
    accounts: int
    interest: int
    done: bool


@dataclass(frozen=True)
class _Share:
    account: int
    balance: int
    interest: int
    remainder: int


async def pay(
    connection: Connection,
    date: dt.date,
    size: int,
    epoch: tuple[int | None, int | None],
    *,
    start: int | None,
) -> Chunk:
    """Pay the next `size` customers after the recorded position, or after `start`, which pays whoever comes after it.

    Done twice it pays the next ones. The day must have ended. PostgresError BK410.
    """
    async with connection.transaction():
        await connection.execute(_ADMIT, *epoch)
        held = await connection.fetchrow(_HOLD, date)
        position = held["position"] if start is None else start
        if start is None and held["done_at"] is not None:
            return Chunk(position, 0, 0, done=True)
        locked = await connection.fetch(_LOCK, EXPENSE, position, size)
        customers = [row["id"] for row in locked if row["id"] != EXPENSE]
        rows = await connection.fetch(_DUE, [EXPENSE, *customers], held["border"])
        expense = next(row["balance"] for row in rows if row["id"] == EXPENSE)
        shares = [_share(row, held["rate_bp"]) for row in rows if row["id"] != EXPENSE]
        due = [each for each in shares if each.interest]
        await _book(connection, due, expense, _keys(due, date, once=start is None), epoch)
        remainders = [each.account for each in shares], [each.remainder for each in shares]
        await connection.execute(_REMAINDERS, *remainders)
        chunk = Chunk(
            position=max(customers, default=position),
            accounts=len(shares),
            interest=sum(each.interest for each in shares),
            done=len(customers) < size,
        )
        await connection.execute(_PROGRESS, date, chunk.position, chunk.accounts, chunk.interest, chunk.done)
    return chunk


def _share(row: Any, rate_bp: int) -> _Share:
    interest, remainder = accrue(row["closing"], rate_bp, row["remainder"])
    return _Share(row["id"], row["balance"], interest, remainder)


def _keys(shares: Sequence[_Share], date: dt.date, *, once: bool) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    """Return key and dedupe of each movement: the books themselves refuse a second interest of a day, if `once`."""
    keys = [uuid.uuid5(_SPACE, f"{date} {each.account}") for each in shares]
    return keys, keys if once else [uuid.uuid4() for _ in shares]


async def _book(
    connection: Connection,
    shares: Sequence[_Share],
    expense: int,
    keys: tuple[list[uuid.UUID], list[uuid.UUID]],
    epoch: tuple[int | None, int | None],
) -> None:
    """Write the movements, their entries and the balances that follow; `expense` is what the bank's account has."""
    if not shares:
        return
    amounts = {each.account: each.interest for each in shares}
    made = await connection.fetch(
        _MOVEMENTS, OPERATION, EXPENSE, *epoch, *keys, list(amounts), list(amounts.values())
    )
    movement = {row["to_account"]: row["id"] for row in made}
    lines = []
    for each in shares:
        expense -= each.interest
        number = movement[each.account]
        lines.append((number, EXPENSE, -each.interest, expense))
        lines.append((number, each.account, each.interest, each.balance + each.interest))
    await connection.execute(_ENTRIES, *map(list, zip(*lines, strict=True)))
    balances = {each.account: each.balance + each.interest for each in shares} | {EXPENSE: expense}
    await connection.execute(_BALANCES, list(balances), list(balances.values()))
