"""A payment order as both sides know it, and what the clearing party says of one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

KIND: Final = "clearing"
"""Of a payment in the outbox."""
RETURNED: Final = "payment_return"
"""The operation that gives a customer the money of a refused payment back."""

KNOWN: Final = "known"
CONFIRMED: Final = "confirmed"
REFUSED: Final = "refused"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class PaymentOrder:
    """What a customer ordered: `amount` in fen from the account `payer` to `payee`, on the books of `day`.

    `day` is the bank's business date, YYYY-MM-DD.
    """

    payer: int
    payee: str
    amount: int
    day: str

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> PaymentOrder:
        """Read what the outbox holds: the ledger wrote it, and the books added the day; without them it is today's."""
        dated = {"day": dt.datetime.now(dt.UTC).date().isoformat(), **content}
        return cls(**{name: dated[name] for name in cls.__dataclass_fields__})

    def same(self, other: PaymentOrder) -> bool:
        """Whether both are one order. The day does not count: a payment booked anew after a failover has another."""
        mine, theirs = (self.payer, self.payee, self.amount), (other.payer, other.payee, other.amount)
        return mine == theirs

    def body(self, origin: str) -> dict[str, Any]:
        """Return the order as the clearing party reads it, from the cell `origin`."""
        return {"origin": origin, **self.__dict__}


def content(payer: int, payee: str, amount: int) -> dict[str, Any]:
    """Return what the ledger puts into the outbox with a payment."""
    return {"payer": payer, "payee": payee, "amount": amount}
