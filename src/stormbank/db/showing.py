"""What the books show a customer: balance and bills, from the primary, or from a standby while there is none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

from stormbank.db.access import Access, T, Work
from stormbank.db.pool import Connection
from stormbank.db.primary import Primary
from stormbank.db.standby import Standbys
from stormbank.deadline import Deadline
from stormbank.problem import Refused, Unavailable

BILL_ENTRIES: Final = 20
# The only operations that a standby may do: nothing is decided by what they show.
SHOWN: Final = frozenset({"balance", "bills"})

_BALANCE: Final = "SELECT balance FROM account WHERE id = $1"
_BILLS: Final = """
SELECT e.movement, m.operation, e.amount, e.balance_after, m.created_at
FROM entry e JOIN movement m ON m.id = e.movement WHERE e.account = $1 ORDER BY e.id DESC LIMIT $2
"""


class Showing:
    """Both operations. An answer from a standby has `stale` and `as_of`: it shows all that was acknowledged until then.

    `observe` is told each operation that was answered so.
    """

    def __init__(
        self, primary: Primary, access: Access, standbys: Standbys, observe: Callable[[str], None]
    ) -> None:
        self._primary = primary
        self._access = access
        self._standbys = standbys
        self._observe = observe

    def can_do(self, operation: str) -> bool:
        """Whether `operation` can be tried now: there is a primary, or it may do without."""
        return self._primary.available or (self._standbys.on and operation in SHOWN)

    async def balance(self, account: int, deadline: Deadline) -> dict[str, Any]:
        """Return the account's balance in fen; Refused when there is no such account."""

        async def work(connection: Connection) -> Any:
            return await connection.fetchval(_BALANCE, account)

        found, mark = await self._read("balance", work, deadline)
        if found is None:
            raise Refused("unknown_account")
        return {"balance": int(found), **mark}

    async def bills(self, account: int, deadline: Deadline) -> dict[str, Any]:
        """Return the account's newest entries, newest first."""

        async def work(connection: Connection) -> Any:
            return await connection.fetch(_BILLS, account, BILL_ENTRIES)

        rows, mark = await self._read("bills", work, deadline)
        return {"entries": [{**row, "created_at": row["created_at"].isoformat()} for row in rows], **mark}

    async def _read(self, operation: str, work: Work[T], deadline: Deadline) -> tuple[T, dict[str, Any]]:
        if self._primary.available or not self._standbys.on:
            try:
                return await self._access.read(work, deadline), {}
            except Unavailable as problem:
                # A primary that is busy is there: what it has is asked of it again, and of nobody else.
                if problem.fields["reason"] != "database" or not self._standbys.on:
                    raise
        found, as_of = await self._standbys.read(work, deadline)
        self._observe(operation)
        return found, {"stale": True, "as_of": _text(as_of)}


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds")
