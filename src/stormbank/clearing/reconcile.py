"""Comparing a cell's payments with the clearing party's books, and settling what the party has decided.

The party's list is read first. It hears of a payment only after the books have it, so whatever it lists and the books
read afterwards do not hold was never booked, or was lost. A payment that does not agree then is asked for again by its
key: it may have been decided since.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from stormbank.clearing.compare import Agreement, Booked, Finding, Paid, compare
from stormbank.clearing.handler import settled
from stormbank.clearing.order import CONFIRMED, UNKNOWN, PaymentOrder
from stormbank.clearing.party import Party
from stormbank.clearing.report import Item, Report
from stormbank.db.outbox import Outbox
from stormbank.db.payments import Payment, Payments
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch

WRITE_MS: Final = 2_000


class Reconciler:
    """Compares the books of `cell` with those of `party`. `epoch` tells the one to settle under."""

    def __init__(
        self,
        cell: str,
        payments: Payments,
        outbox: Outbox,
        party: Party,
        epoch: Callable[[], Awaitable[Epoch]],
    ) -> None:
        self._cell = cell
        self._payments = payments
        self._outbox = outbox
        self._party = party
        self._epoch = epoch

    async def days(self) -> list[str]:
        """Return the days worth comparing; a Problem when the books do not tell."""
        return await self._payments.days()

    async def compare(self, day: str) -> Report:
        """Compare a day. NoAnswerError when the party does not tell, a Problem when the books do not."""
        paid = await self._paid(day)
        agreed = agreed_amount = ended = 0
        items: list[Item] = []
        async for page in self._payments.of_day(day):
            for payment in page:
                listed = paid.get(str(payment.key))
                if listed is not None and listed.order.same(payment.booked.order):
                    del paid[str(payment.key)]
                else:
                    listed = None  # nothing, or another order under the key
                finding, by_us = await self._finding(payment, listed)
                ended += by_us
                if finding.agreement is Agreement.AGREED:
                    agreed, agreed_amount = agreed + 1, agreed_amount + finding.amount
                else:
                    items.append(_item(finding, str(payment.key), payment.booked.order, payment.age_s))
        for key, listed in paid.items():
            finding = compare(None, listed)
            if finding.agreement is not Agreement.AGREED:
                items.append(_item(finding, key, listed.order, None))
        return Report(self._cell, day, agreed, agreed_amount, ended, tuple(items))

    async def _paid(self, day: str) -> dict[str, Paid]:
        found: dict[str, Paid] = {}
        async for page in self._party.of_day(day, self._cell):
            for each in page:
                paid = Paid(each.order, each.state, each.order.amount if each.state == CONFIRMED else 0)
                found[each.key] = found[each.key].and_(paid) if each.key in found else paid
        return found

    async def _finding(self, payment: Payment, paid: Paid | None) -> tuple[Finding, bool]:
        """Return how a payment stands, and whether it was settled here."""
        finding = compare(payment.booked, paid)
        if finding.agreement is Agreement.AGREED:
            return finding, False
        order = payment.booked.order
        standing = await self._party.standing(payment.key, self._cell, order)
        paid = None if standing.state == UNKNOWN else Paid(order, standing.state, standing.paid)
        if payment.booked.outcome is not None:
            return compare(payment.booked, paid), False
        done = settled(order, payment.key, standing.state)
        if done is None:
            return compare(payment.booked, paid), False
        epoch = await self._epoch()
        outcome = await self._outbox.settle(payment.row, done, epoch, Deadline.after_ms(WRITE_MS))
        returned = payment.booked.debited if outcome == "compensated" else 0
        return compare(
            Booked(order, payment.booked.debited, returned, outcome), paid
        ), outcome == done.outcome


def _item(finding: Finding, key: str, order: PaymentOrder, age_s: float | None) -> Item:
    return Item(finding.agreement, key, finding.amount, order.payer, order.payee, age_s)
