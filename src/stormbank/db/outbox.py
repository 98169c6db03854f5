"""The outbox in the books: taking rows that are due, giving them back, settling them, and counting what waits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from stormbank.db.access import Access
from stormbank.db.pool import Connection
from stormbank.db.written import numbers, written
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch
from stormbank.outbox import Done, Row
from stormbank.transit import kind_of

_CLAIM: Final = "SELECT id, key, kind, content, attempts FROM bank_claim($1, $2, $3, $4, $5)"
_PUT_OFF: Final = "SELECT bank_put_off($1, $2, $3, $4, $5)"
_SETTLE: Final = "SELECT bank_settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
_RECHECK: Final = "SELECT bank_recheck($1, $2, $3, $4, $5, $6)"
_WAITING: Final = """
SELECT kind, count(*) AS depth, extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS oldest_s
FROM outbox WHERE done_at IS NULL GROUP BY kind
"""


class Outbox:
    """The outbox of one cell. Every method raises Unavailable, DeadlineExceeded, and StaleEpoch where it writes."""

    def __init__(self, access: Access, lease_s: float) -> None:
        self._access = access
        self._lease = timedelta(seconds=lease_s)

    async def claim(
        self, kinds: Sequence[str], count: int, epoch: Epoch | None, deadline: Deadline
    ) -> list[Row]:
        """Take at most `count` rows of `kinds` that are due, for the time of the lease.

        When this returns, their movements have reached the standby that acknowledgements wait for.
        """

        async def work(connection: Connection) -> Any:
            return await connection.fetch(_CLAIM, *numbers(epoch), list(kinds), count, self._lease)

        rows = await written(self._access, work, deadline)
        return [
            Row(each["id"], each["key"], each["kind"], json.loads(each["content"]), each["attempts"])
            for each in rows
        ]

    async def put_off(self, row: Row, after_s: float, epoch: Epoch | None, deadline: Deadline) -> None:
        """Give `row` back, due again after so many seconds; nothing happens if somebody else has it by now."""

        async def work(connection: Connection) -> None:
            after = timedelta(seconds=after_s)
            await connection.execute(_PUT_OFF, *numbers(epoch), row.id, row.attempts, after)

        await written(self._access, work, deadline)

    async def settle(self, row: Row, done: Done, epoch: Epoch | None, deadline: Deadline) -> str | None:
        """Settle `row`, once for all; returns the outcome that stands, after its commit. Refused changes nothing.

        None when the other cell was promoted since `done` was heard: the row is due again.
        """
        booking = done.booking
        moved: tuple[object, ...] = (None,) * 6
        if booking is not None:
            moved = (
                booking.key,
                booking.operation,
                booking.from_account,
                booking.to_account,
                booking.amount,
                booking.payee,
            )

        async def work(connection: Connection) -> Any:
            return await connection.fetchval(
                _SETTLE, *numbers(epoch), row.id, done.outcome, done.under, *moved
            )

        outcome = await written(self._access, work, deadline)
        return None if outcome is None else str(outcome)

    async def recheck(
        self, cell: str, promotion: int, window_s: float, epoch: Epoch | None, deadline: Deadline
    ) -> int:
        """Open again what was booked with `cell` last before its database got to `promotion`; returns how much.

        It goes back `window_s` from the last that was settled before. The first to ask for a promotion does it.
        """
        kind = kind_of(cell)

        async def work(connection: Connection) -> Any:
            window = timedelta(seconds=window_s)
            return await connection.fetchval(_RECHECK, *numbers(epoch), cell, kind, promotion, window)

        return int(await written(self._access, work, deadline))

    async def waiting(self, deadline: Deadline) -> dict[str, tuple[int, float]]:
        """Count what is not settled, by kind: how many rows, and the age of the oldest in seconds."""

        async def work(connection: Connection) -> Any:
            return await connection.fetch(_WAITING)

        rows = await self._access.read(work, deadline)
        return {each["kind"]: (each["depth"], each["oldest_s"]) for each in rows}
