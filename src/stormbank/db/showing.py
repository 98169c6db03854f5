"""What the books show a customer: balance and bills, from the primary, or from a standby while there is none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

from stormbank.db.access import Access, Work
from stormbank.db.pool import Connection
from stormbank.db.primary import Primary
from stormbank.db.standby import Standbys
from stormbank.db.written import not_behind
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch
from stormbank.problem import Refused, Unavailable

BILL_ENTRIES: Final = 20
# The only operations that a standby may do: nothing is decided by what they show.
SHOWN: Final = frozenset({"balance", "bills"})

_BALANCE: Final = """
SELECT c.promotion, c.version, (SELECT balance FROM account WHERE id = $1) AS balance FROM cell_epoch c
"""
_BILLS: Final = """
SELECT c.promotion, c.version, b.*
FROM cell_epoch c LEFT JOIN LATERAL (
    SELECT e.id, e.movement, m.operation, e.amount, e.balance_after, m.created_at
    FROM entry e JOIN movement m ON m.id = e.movement WHERE e.account = $1 ORDER BY e.id DESC LIMIT $2
) b ON true ORDER BY b.id DESC
"""
_SHOWN_OF_AN_ENTRY: Final = ("movement", "operation", "amount", "balance_after")


class Showing:
    """Both operations. What the primary shows is refused when its epoch is older than the asker's: StaleEpoch.

    An answer from a standby has `stale` and `as_of`: it shows all that was acknowledged until then.

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

    async def balance(self, account: int, epoch: Epoch | None, deadline: Deadline) -> dict[str, Any]:
        """Return the account's balance in fen; Refused when there is no such account."""

        async def work(connection: Connection) -> Any:
            return await connection.fetch(_BALANCE, account)

        rows, mark = await self._read("balance", work, epoch, deadline)
        if rows[0]["balance"] is None:
            raise Refused("unknown_account")
        return {"balance": int(rows[0]["balance"]), **mark}

    async def bills(self, account: int, epoch: Epoch | None, deadline: Deadline) -> dict[str, Any]:
        """Return the account's newest entries, newest first."""

        async def work(connection: Connection) -> Any:
            return await connection.fetch(_BILLS, account, BILL_ENTRIES)

        rows, mark = await self._read("bills", work, epoch, deadline)
        return {"entries": [_entry(row) for row in rows if row["id"] is not None], **mark}

    async def _read(
        self, operation: str, work: Work[Any], epoch: Epoch | None, deadline: Deadline
    ) -> tuple[Any, dict[str, Any]]:
        if self._primary.available or not self._standbys.on:
            try:
                rows = await self._access.read(work, deadline)
            except Unavailable as problem:
                # A primary that is busy is there: what it has is asked of it again, and of nobody else.
                if problem.fields["reason"] != "database" or not self._standbys.on:
                    raise
            else:
                not_behind(rows[0], epoch)
                return rows, {}
        found, as_of = await self._standbys.read(work, deadline)
        self._observe(operation)
        return found, {"stale": True, "as_of": _text(as_of)}


def _entry(row: Any) -> dict[str, Any]:
    shown = {name: row[name] for name in _SHOWN_OF_AN_ENTRY}
    return {**shown, "created_at": row["created_at"].isoformat()}


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds")
