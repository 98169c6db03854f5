"""What the books can do, each by one statement: verify a customer, move money, check in."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from stormbank.db.access import Access, T, Work
from stormbank.db.pool import Connection
from stormbank.db.schema import CLEARING_ACCOUNTS
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch
from stormbank.problem import Conflict, Refused, StaleEpoch

_MOVE: Final = "SELECT movement, repeated, balance FROM bank_move($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_CHECKIN: Final = "SELECT bank_check_in($1, $2, $3, $4)"
_REFUSALS: Final = {
    "BK001": Refused("insufficient_funds"),
    "BK002": Refused("unknown_account"),
    "BK409": Conflict("key_reused"),
    "BK410": StaleEpoch(StaleEpoch.REASON),
}


@dataclass(frozen=True)
class Movement:
    """Money to be moved: `amount` in fen; `key` makes a second attempt the same movement."""

    key: uuid.UUID
    operation: str
    from_account: int
    to_account: int
    amount: int
    payee: str | None = None


@dataclass(frozen=True)
class Booked:
    """A movement that is committed; `balance` is the payer's right after it."""

    movement: int
    repeated: bool
    balance: int


def clearing_account(payee: str) -> int:
    """Return the clearing account (a negative id) through which `payee` is paid, always the same one."""
    return -1 - hashlib.sha256(payee.encode()).digest()[0] % CLEARING_ACCOUNTS


class Books:
    """The operations on the books. `idempotency` off books every retry again, for drills that must fail."""

    def __init__(self, access: Access, *, idempotency: bool) -> None:
        self._access = access
        self._idempotency = idempotency

    async def password_is(self, customer: int, password: str, deadline: Deadline) -> bool:
        """Whether `customer` exists and has this password."""

        async def work(connection: Connection) -> Any:
            return await connection.fetchrow(
                "SELECT salt, password_hash FROM customer WHERE id = $1", customer
            )

        row = await self._access.read(work, deadline)
        if row is None:
            return False
        digest = hashlib.sha256(f"{row['salt']}:{password}".encode()).digest()
        return hmac.compare_digest(digest, row["password_hash"])

    async def move(self, wanted: Movement, epoch: Epoch | None, deadline: Deadline) -> Booked:
        """Book `wanted` or find it booked; returns after the commit. Refused, Conflict, StaleEpoch change nothing."""
        dedupe = wanted.key if self._idempotency else None

        async def work(connection: Connection) -> Any:
            rows = await connection.fetch(
                _MOVE,
                *_numbers(epoch),
                wanted.key,
                dedupe or uuid.uuid4(),
                wanted.operation,
                wanted.from_account,
                wanted.to_account,
                wanted.amount,
                wanted.payee,
            )
            return rows[0]

        row = await self._written(work, deadline)
        return Booked(row["movement"], row["repeated"], row["balance"])

    async def check_in(self, customer: int, place: str, epoch: Epoch | None, deadline: Deadline) -> None:
        """Record that `customer` was at `place` today; once a day is enough. StaleEpoch changes nothing."""

        async def work(connection: Connection) -> None:
            await connection.execute(_CHECKIN, *_numbers(epoch), customer, place)

        await self._written(work, deadline)

    async def _written(self, work: Work[T], deadline: Deadline) -> T:
        try:
            return await self._access.write(work, deadline)
        except asyncpg.PostgresError as error:
            refusal = _REFUSALS.get(error.sqlstate)
            if refusal is None:
                raise
            raise type(refusal)(refusal.fields["reason"]) from None


def _numbers(epoch: Epoch | None) -> tuple[int | None, int | None]:
    """Return an epoch as the books take it. None is one too: one that is never theirs."""
    return (None, None) if epoch is None else (epoch.promotion, epoch.version)
