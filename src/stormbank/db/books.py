"""What the books can do, each by one statement: show, move money, check in."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stormbank.db.access import Access
from stormbank.db.pool import Connection
from stormbank.db.schema import CLEARING_ACCOUNTS
from stormbank.db.written import numbers, written
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch
from stormbank.mark import NO_MARK, Mark
from stormbank.problem import Refused

BILL_ENTRIES: Final = 20

_MOVE: Final = """
SELECT movement, repeated, balance, state FROM bank_move(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, p_unscored => $13, p_bar => $14)
"""
_BILLS: Final = """
SELECT e.movement, m.operation, e.amount, e.balance_after, m.created_at
FROM entry e JOIN movement m ON m.id = e.movement WHERE e.account = $1 ORDER BY e.id DESC LIMIT $2
"""
_CONFIRM: Final = "SELECT movement, amount, state FROM bank_confirm($1, $2, $3, $4)"
_RECEIVE: Final = """
SELECT outcome, reason, repeated FROM bank_receive($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_CHECKIN: Final = "SELECT bank_check_in($1, $2, $3, $4)"


@dataclass(frozen=True)
class Outgoing:
    """What is to be done elsewhere because of a movement: for the outbox's handler of `kind`."""

    kind: str
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Movement:
    """Money to be moved: `amount` in fen; `key` makes a second attempt the same movement.

    `beyond` is the account that it is meant for where that is another cell's.
    """

    key: uuid.UUID
    operation: str
    from_account: int
    to_account: int
    amount: int
    payee: str | None = None
    beyond: int | None = None
    outgoing: Outgoing | None = None
    mark: Mark = NO_MARK


@dataclass(frozen=True)
class Booked:
    """A movement that is committed; `balance` is the payer's right after it, `state` what became of it by now."""

    movement: int
    repeated: bool
    balance: int
    state: str


@dataclass(frozen=True)
class Confirmed:
    """What became of an order that was booked."""

    movement: int
    amount: int
    state: str


@dataclass(frozen=True)
class Credit:
    """What a customer of cell `sender` sends to one of this cell, through this cell's `transit_account`.

    `key` is the order's, `row` that of the sender's outbox, by which it is decided once.
    """

    row: uuid.UUID
    key: uuid.UUID
    sender: str
    sender_epoch: Epoch
    from_account: int
    to_account: int
    amount: int
    transit_account: int


@dataclass(frozen=True)
class Received:
    """What was decided of a credit, for good: `booked`, or `refused` and why. `repeated` if that was before."""

    outcome: str
    reason: str | None
    repeated: bool


def clearing_account(payee: str) -> int:
    """Return the clearing account (a negative id) through which `payee` is paid, always the same one."""
    return -1 - hashlib.sha256(payee.encode()).digest()[0] % CLEARING_ACCOUNTS


class Books:
    """The operations on the books.

    For drills that must fail: `idempotency` off books every retry again, `outbox` off keeps no record of what has to be
    done elsewhere.
    """

    def __init__(self, access: Access, *, idempotency: bool, outbox: bool = True) -> None:
        self._access = access
        self._idempotency = idempotency
        self._outbox = outbox

    async def balance(self, account: int, deadline: Deadline) -> int:
        """Return the account's balance in fen."""

        async def work(connection: Connection) -> Any:
            return await connection.fetchval("SELECT balance FROM account WHERE id = $1", account)

        found = await self._access.read(work, deadline)
        if found is None:
            raise Refused("unknown_account")
        return int(found)

    async def bills(self, account: int, deadline: Deadline) -> list[dict[str, Any]]:
        """Return the account's newest entries, newest first."""

        async def work(connection: Connection) -> Any:
            return await connection.fetch(_BILLS, account, BILL_ENTRIES)

        rows = await self._access.read(work, deadline)
        return [{**row, "created_at": row["created_at"].isoformat()} for row in rows]

    async def move(self, wanted: Movement, epoch: Epoch | None, deadline: Deadline) -> Booked:
        """Book `wanted` or find it booked; returns after the commit. Refused, Conflict, StaleEpoch change nothing."""
        dedupe = wanted.key if self._idempotency else None
        sent = wanted.outgoing if self._outbox else None

        async def work(connection: Connection) -> Any:
            rows = await connection.fetch(
                _MOVE,
                *numbers(epoch),
                wanted.key,
                dedupe or uuid.uuid4(),
                wanted.operation,
                wanted.from_account,
                wanted.to_account,
                wanted.amount,
                wanted.payee,
                wanted.beyond,
                sent and sent.kind,
                sent and json.dumps(sent.content),
                wanted.mark.unscored,
                wanted.mark.bar,
            )
            return rows[0]

        row = await written(self._access, work, deadline)
        return Booked(row["movement"], row["repeated"], row["balance"], row["state"])

    async def confirm(
        self, customer: int, key: uuid.UUID, epoch: Epoch | None, deadline: Deadline
    ) -> Confirmed | None:
        """Return what became of the order of `customer` under `key`, None when the books hold none. StaleEpoch."""

        async def work(connection: Connection) -> Any:
            return await connection.fetchrow(_CONFIRM, *numbers(epoch), customer, key)

        row = await written(self._access, work, deadline)
        return None if row["movement"] is None else Confirmed(row["movement"], row["amount"], row["state"])

    async def receive(self, credit: Credit, epoch: Epoch | None, deadline: Deadline) -> Received:
        """Book `credit`, or find out what was decided of it; returns after the commit. StaleEpoch changes nothing."""
        dedupe = credit.row if self._idempotency else uuid.uuid4()

        async def work(connection: Connection) -> Any:
            return await connection.fetchrow(
                _RECEIVE,
                *numbers(epoch),
                credit.sender,
                credit.sender_epoch.promotion,
                credit.sender_epoch.version,
                credit.key,
                dedupe,
                credit.from_account,
                credit.to_account,
                credit.amount,
                credit.transit_account,
            )

        row = await written(self._access, work, deadline)
        return Received(row["outcome"], row["reason"], row["repeated"])

    async def check_in(self, customer: int, place: str, epoch: Epoch | None, deadline: Deadline) -> None:
        """Record that `customer` was at `place` today; once a day is enough. StaleEpoch changes nothing."""

        async def work(connection: Connection) -> None:
            await connection.execute(_CHECKIN, *numbers(epoch), customer, place)

        await written(self._access, work, deadline)
