"""Two books of one payment: what the cell has of it, and what the clearing party has. No input or output."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from stormbank.clearing.order import CONFIRMED, KNOWN, UNKNOWN, PaymentOrder


class Agreement(enum.StrEnum):
    """How the two books stand to each other."""

    AGREED = "agreed"
    PAID_NOT_BOOKED = "paid_not_booked"
    BOOKED_NOT_PAID = "booked_not_paid"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Booked:
    """A payment in the cell's books: `debited` from the customer and `returned`, in fen.

    `outcome` as the outbox has it; None while the bank does not know what became of the order.
    """

    order: PaymentOrder
    debited: int
    returned: int
    outcome: str | None

    @property
    def kept(self) -> int:
        """What the customer has paid in the end."""
        return self.debited - self.returned


@dataclass(frozen=True)
class Paid:
    """All that the clearing party has under one key: its state, and what it paid out in fen."""

    order: PaymentOrder
    state: str
    amount: int

    def and_(self, other: Paid) -> Paid:
        """Return both together: a party may have entered a key twice."""
        state = next(each for each in (CONFIRMED, KNOWN, self.state) if each in (self.state, other.state))
        return Paid(self.order, state, self.amount + other.amount)


@dataclass(frozen=True)
class Finding:
    """What is found of one key, and of how many fen it is true."""

    agreement: Agreement
    amount: int


def compare(booked: Booked | None, paid: Paid | None) -> Finding:
    """Hold both books of one key against each other.

    Paid out more than the customer paid is paid-not-booked, whatever else is open; that much is certain. Else it is
    unknown as long as one of the two does not know how the order ended.
    """
    kept = booked.kept if booked else 0
    out = paid.amount if paid else 0
    if out > kept:
        return Finding(Agreement.PAID_NOT_BOOKED, out - kept)
    if (booked and booked.outcome is None) or (paid and paid.state in (KNOWN, UNKNOWN)):
        return Finding(Agreement.UNKNOWN, kept)
    if kept > out:
        return Finding(Agreement.BOOKED_NOT_PAID, kept - out)
    return Finding(Agreement.AGREED, kept)
