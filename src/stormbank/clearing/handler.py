"""Carrying out a payment of the outbox: the order leaves once, and is asked after until it is decided."""

from __future__ import annotations

import logging
import time
import uuid
from typing import Final

from stormbank.clearing.order import CONFIRMED, REFUSED, RETURNED, UNKNOWN, PaymentOrder
from stormbank.clearing.party import NoAnswerError, Party
from stormbank.db.books import Movement, clearing_account
from stormbank.outbox import Done, Later, Row

CLOSED_AFTER: Final = 3
CLOSED_S: Final = 1.0
"""How long a party that gave no answer so often in a row is left alone. One that fails now and then is not."""

log = logging.getLogger(__name__)


class ClearingHandler:
    """Sends the payments of customers of `cell` to `party`.

    `one_order` off makes a new order of every attempt, under a key of its own, and asks after none.
    """

    def __init__(self, party: Party, cell: str, *, one_order: bool) -> None:
        self._party = party
        self._cell = cell
        self._one_order = one_order
        self._unanswered = 0
        self._closed_until_s = 0.0

    def open(self) -> bool:
        """Whether the party answers, as far as is known, or has been left alone for a while."""
        return time.monotonic() >= self._closed_until_s

    async def handle(self, row: Row) -> Done | Later:
        """Send or ask; Done with the party's decision, Later without one."""
        order = PaymentOrder.of(row.content)
        try:
            state = await self._standing(row, order)
        except NoAnswerError as why:
            log.info("payment %s is unknown: %s", row.key, why)
            self._unanswered += 1
            if self._unanswered >= CLOSED_AFTER:
                self._closed_until_s = time.monotonic() + CLOSED_S
            return Later()
        self._unanswered = 0
        return settled(order, row.key, state) or Later()

    async def _standing(self, row: Row, order: PaymentOrder) -> str:
        if not self._one_order:
            return await self._party.order(uuid.uuid4(), self._cell, order)
        if row.attempts > 1:
            state = (await self._party.standing(row.key, self._cell, order)).state
            if state != UNKNOWN:
                return state
        # The same order under the same key, wherever an earlier one may still be on its way.
        return await self._party.order(row.key, self._cell, order)


def settled(order: PaymentOrder, key: uuid.UUID, state: str) -> Done | None:
    """Return how a payment ends when the party says `state` of it; None while that is open."""
    if state == CONFIRMED:
        return Done("booked")
    if state == REFUSED:
        through = clearing_account(order.payee)
        return Done("compensated", Movement(key, RETURNED, through, order.payer, order.amount, order.payee))
    return None
