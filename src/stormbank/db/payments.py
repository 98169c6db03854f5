"""Payments that left the bank, as the books of one cell have them."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from stormbank.clearing.compare import Booked
from stormbank.clearing.order import PaymentOrder
from stormbank.db.access import Access
from stormbank.db.pool import Connection
from stormbank.deadline import Deadline
from stormbank.outbox import Row

READ_MS: Final = 3_000
PAGE: Final = 500

_OF_DAY: Final = """
SELECT o.id, o.key, o.kind, o.content, o.attempts, o.outcome,
    extract(epoch FROM clock_timestamp() - o.created_at)::float8 AS age_s,
    coalesce(m.amount, 0) AS debited,
    coalesce((SELECT sum(r.amount) FROM movement r
              WHERE r.key = o.key AND r.operation = 'payment_return'), 0)::bigint AS returned
FROM outbox o LEFT JOIN movement m ON m.dedupe = o.key
WHERE o.kind = 'clearing' AND o.content ->> 'day' = $1 AND o.id > $2 ORDER BY o.id LIMIT $3
"""
_DAYS: Final = """
SELECT date::text AS day FROM business_day UNION SELECT (date - 1)::text FROM business_day
UNION SELECT content ->> 'day' FROM outbox WHERE kind = 'clearing' AND done_at IS NULL ORDER BY 1
"""


@dataclass(frozen=True)
class Payment:
    """One payment: its row in the outbox, how old that is in seconds, and what is booked of it."""

    row: Row
    age_s: float
    booked: Booked

    @property
    def key(self) -> uuid.UUID:
        """The key that the clearing party knows it by."""
        return self.row.key


class Payments:
    """The payments of the cell behind `access`. Every method raises Unavailable and DeadlineExceeded."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def of_day(self, day: str) -> AsyncIterator[list[Payment]]:
        """List the payments of a business day, page by page."""
        after = 0
        while True:
            page = await self._page(day, after)
            if page:
                yield page
                after = page[-1].row.id
            if len(page) < PAGE:
                return

    async def days(self) -> list[str]:
        """Return the days worth comparing: the business day, the one before, and any with a payment that is open."""

        async def work(connection: Connection) -> Any:
            return await connection.fetch(_DAYS)

        return [row["day"] for row in await self._access.read(work, Deadline.after_ms(READ_MS))]

    async def _page(self, day: str, after: int) -> list[Payment]:
        async def work(connection: Connection) -> Any:
            return await connection.fetch(_OF_DAY, day, after, PAGE)

        return [_payment(row) for row in await self._access.read(work, Deadline.after_ms(READ_MS))]


def _payment(row: Any) -> Payment:
    content = json.loads(row["content"])
    booked = Booked(PaymentOrder.of(content), row["debited"], row["returned"], row["outcome"])
    return Payment(Row(row["id"], row["key"], row["kind"], content, row["attempts"]), row["age_s"], booked)
