"""The ledger's desk for money between cells: what comes from another cell, and what became of an order."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from aiohttp import web

from stormbank.cells import Cells
from stormbank.db.books import Books, Credit
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch
from stormbank.problem import BadRequest, Unauthorized
from stormbank.request import amount_in, epoch_in, idempotency_key, json_fields
from stormbank.session import CUSTOMER_HEADER
from stormbank.transit import transit_account
from stormbank.work import Done, Reader, Work
from stormbank.wrong import Wrong

_CREDIT_FIELDS = {"key": str, "cell": str, "epoch": str, "from": int, "to": int, "amount": int}


class TransitDesk:
    """Reads these requests and says what there is to do once there is a slot, by operation.

    `credited` is told of each credit whether it is a repetition.
    """

    def __init__(self, books: Books, cells: Cells, cell: str, credited: Callable[[bool], None]) -> None:
        self._books = books
        self._cells = cells
        self._cell = cell
        self._credited = credited
        self.readers: Mapping[str, Reader] = {"credit": self._credit, "confirm": self._confirm}

    async def _credit(self, customer: int, request: web.BaseRequest) -> Work:
        if CUSTOMER_HEADER not in request.headers:
            raise Unauthorized("token_missing")  # a customer's own token is no order of another cell
        credit, epoch = await self._read(customer, request), epoch_in(request)

        async def work(deadline: Deadline) -> Done:
            found = await self._books.receive(credit, epoch, deadline)
            if found.outcome == "booked":
                self._credited(found.repeated)
            return 200, {"outcome": found.outcome, "reason": found.reason, "repeated": found.repeated}

        return work

    async def _read(self, customer: int, request: web.BaseRequest) -> Credit:
        fields, row = await json_fields(request, _CREDIT_FIELDS), idempotency_key(request)
        sender, payer = fields["cell"], fields["from"]
        if sender not in self._cells.names or sender == self._cell or self._cells.of(payer) != sender:
            raise BadRequest(Wrong.VALUE, "cell is not another one, or not the payer's")
        if fields["to"] != customer:
            raise BadRequest(Wrong.ACCOUNT, "to is not the customer that the asker speaks for")
        try:
            key, epoch = uuid.UUID(fields["key"]), Epoch.parse(fields["epoch"])
        except ValueError as error:
            raise BadRequest(Wrong.VALUE, str(error)) from None
        through = transit_account(self._cells, sender, row)
        return Credit(row, key, sender, epoch, payer, customer, amount_in(fields), through)

    async def _confirm(self, customer: int, request: web.BaseRequest) -> Work:
        if set(request.query) != {"key"}:
            raise BadRequest(Wrong.QUERY, "the query is not key=UUID")
        try:
            key = uuid.UUID(request.query["key"])
        except ValueError:
            raise BadRequest(Wrong.QUERY, "key is not a UUID") from None
        epoch = epoch_in(request)

        async def work(deadline: Deadline) -> Done:
            found = await self._books.confirm(customer, key, epoch, deadline)
            if found is None:
                return 200, {"key": str(key), "state": "unknown"}
            return 200, {
                "key": str(key),
                "state": found.state,
                "movement": found.movement,
                "amount": found.amount,
            }

        return work
