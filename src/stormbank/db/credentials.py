"""What the books know of customers themselves: passwords, phones, one-time codes that were tried."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from stormbank.db.access import Access
from stormbank.db.pool import Connection
from stormbank.db.written import not_behind, numbers, written
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch

_CREDENTIALS: Final = """
SELECT e.promotion, e.version, c.salt, c.password_hash,
    EXISTS (SELECT FROM device d WHERE d.customer = c.id AND d.device = $2) AS bound
FROM cell_epoch e LEFT JOIN customer c ON c.id = $1
"""
_TRY: Final = "SELECT outcome, used_at FROM bank_try_code($1, $2, $3, $4, $5, $6, $7)"
_BIND: Final = "SELECT bank_bind_device($1, $2, $3, $4, $5, $6, $7)"


@dataclass(frozen=True)
class Known:
    """Of one customer: salt and SHA-256 of the password, and whether the phone asked for is one of theirs."""

    salt: str
    password_hash: bytes
    bound: bool


@dataclass(frozen=True)
class Try:
    """One attempt at the one-time code `key`; the same `attempt` again is the same try."""

    customer: int
    key: uuid.UUID
    attempt: uuid.UUID


class Credentials:
    """The customers' credentials. `tries` is how many wrong ones a code stands, None for any number."""

    def __init__(self, access: Access, tries: int | None) -> None:
        self._access = access
        self._tries = tries

    async def known(
        self, customer: int, device: str, epoch: Epoch | None, deadline: Deadline
    ) -> Known | None:
        """Return what is known of `customer` with `device`, None when there is no such customer.

        StaleEpoch when the database's epoch is older than the asker's.
        """

        async def work(connection: Connection) -> Any:
            return await connection.fetchrow(_CREDENTIALS, customer, device)

        row = await self._access.read(work, deadline)
        not_behind(row, epoch)
        return None if row["salt"] is None else Known(row["salt"], row["password_hash"], row["bound"])

    async def tried(
        self, code: Try, epoch: Epoch | None, deadline: Deadline, *, right: bool
    ) -> tuple[str, datetime | None]:
        """Record a try of a right or a wrong code; return the outcome, and since when a right code is used.

        Outcomes are `right`, `wrong`, `used` by another attempt, `exhausted`. StaleEpoch changes nothing.
        """

        async def work(connection: Connection) -> Any:
            return await connection.fetchrow(
                _TRY, *numbers(epoch), code.customer, code.key, code.attempt, right, self._tries
            )

        row = await written(self._access, work, deadline)
        return row["outcome"], row["used_at"]

    async def bind(self, code: Try, device: str, epoch: Epoch | None, deadline: Deadline) -> str:
        """Use a right code to bind `device`; return the outcome, as `tried`. StaleEpoch changes nothing."""

        async def work(connection: Connection) -> Any:
            return await connection.fetchval(
                _BIND, *numbers(epoch), code.customer, code.key, code.attempt, self._tries, device
            )

        return str(await written(self._access, work, deadline))
