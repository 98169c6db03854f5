"""The ledger: does the business of a request in a worker slot and on the books."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web

from stormbank.background import beside
from stormbank.cells import HEADER as CELL_HEADER
from stormbank.cells import Cells
from stormbank.db.access import Access
from stormbank.db.address import parse_dsn
from stormbank.db.books import Books, Movement, clearing_account
from stormbank.db.epoch import EpochKeeper
from stormbank.db.pool import Connection
from stormbank.db.primary import Primary
from stormbank.db.schema import ensure
from stormbank.deadline import HEADER, Deadline
from stormbank.epoch import Epoch
from stormbank.metrics import BookMetrics, CellMetrics, ServiceMetrics, SlotMetrics
from stormbank.operations import Operation
from stormbank.outcome import outcome_of
from stormbank.problem import BadRequest, Misrouted, Problem, StaleEpoch, Unauthorized, Unavailable
from stormbank.request import amount_in, epoch_in, idempotency_key, json_fields, short_text
from stormbank.service import Service, reply
from stormbank.session import Sessions
from stormbank.settings.ledger import LedgerSettings
from stormbank.slots import Slots

READY_ANYWAY_S: Final = 5.0
# Gateways reach ledgers by an address that chooses once per connection. Ending some connections keeps the
# choice fresh: a replaced ledger gets its share of the load within seconds.
CLOSE_SHARE: Final = 0.02

Done = tuple[int, dict[str, Any]]  # status and fields of the answer
Work = Callable[[Deadline], Awaitable[Done]]


class Ledger:
    """Answers operations from the books of one cell."""

    def __init__(
        self,
        *,
        cells: Cells,
        cell: str,
        sessions: Sessions,
        slots: Slots,
        service_s: Mapping[str, float],
        primary: Primary,
        books: Books,
        epochs: EpochKeeper,
        counts: BookMetrics,
    ) -> None:
        self._cells = cells
        self._cell = cell
        self._sessions = sessions
        self._slots = slots
        self._service_s = service_s
        self._primary = primary
        self._books = books
        self._epochs = epochs
        self._counts = counts
        self._readers: dict[str, Callable[[int, web.BaseRequest], Awaitable[Work]]] = {
            "login": self._login,
            "balance": self._balance,
            "transfer": self._transfer,
            "payment": self._payment,
            "bills": self._bills,
            "checkin": self._check_in,
        }

    async def answer(self, operation: Operation, request: web.BaseRequest) -> web.Response:
        """Serve one operation; Problem otherwise."""
        deadline = Deadline.from_header(request.headers.get(HEADER))
        if request.headers.get(CELL_HEADER, self._cell) != self._cell:
            raise Misrouted("cell", cell=self._cell)
        customer = 0
        if operation.session:
            customer = self._own(self._sessions.customer_of(request.headers.get("Authorization")))
        # What cannot be done is refused before it occupies a slot: a bad request, or no books at all.
        work = await self._readers[operation.name](customer, request)
        if not self._primary.available:
            raise Unavailable("database")
        await self._slots.work(self._service_s[operation.name], deadline)
        return _answer(*await self._done(operation, work, deadline))

    async def cell(self) -> web.Response:
        """Tell the cell's state; Problem while it is unknown."""
        return _answer(200, (await self._epochs.now()).fields())

    async def _done(self, operation: Operation, work: Work, deadline: Deadline) -> Done:
        """Do the work, and count what became of it when it writes."""
        outcome = "failed"
        try:
            done = await work(deadline)
            outcome = outcome_of(done[0])
        except StaleEpoch:
            outcome = "stale"
            self._counts.stale()
            self._epochs.doubt()
            raise
        except Problem as problem:
            outcome = outcome_of(problem.status)
            raise
        finally:
            if operation.writes:
                self._counts.wrote(operation.name, outcome)
        return done

    def _own(self, customer: int) -> int:
        """Return `customer`, who must be of this cell. The header cannot say that: it is of the asker's settings."""
        if self._cells.of(customer) != self._cell:
            raise Misrouted("customer", cell=self._cell)
        return customer

    # Each of these reads its request and returns the work to do once there is a slot.

    async def _login(self, _: int, request: web.BaseRequest) -> Work:
        fields = await json_fields(request, {"customer": int, "device": str, "password": str})
        customer, password = self._own(fields["customer"]), fields["password"]

        async def work(deadline: Deadline) -> Done:
            known = 0 < customer < 2**63
            if not known or not await self._books.password_is(customer, password, deadline):
                raise Unauthorized("credentials")
            return 200, {"customer": customer}

        return work

    async def _balance(self, customer: int, _: web.BaseRequest) -> Work:
        async def work(deadline: Deadline) -> Done:
            return 200, {"account": customer, "balance": await self._books.balance(customer, deadline)}

        return work

    async def _bills(self, customer: int, _: web.BaseRequest) -> Work:
        async def work(deadline: Deadline) -> Done:
            return 200, {"entries": await self._books.bills(customer, deadline)}

        return work

    async def _check_in(self, customer: int, request: web.BaseRequest) -> Work:
        place = short_text((await json_fields(request, {"place": str}))["place"], "place")
        epoch = epoch_in(request)

        async def work(deadline: Deadline) -> Done:
            await self._books.check_in(customer, place, epoch, deadline)
            return 201, {"customer": customer, "place": place}

        return work

    async def _transfer(self, customer: int, request: web.BaseRequest) -> Work:
        fields = await json_fields(request, {"to": int, "amount": int})
        to = fields["to"]
        if not 0 < to < 2**63 or to == customer:
            raise BadRequest("to is not the account of another customer")
        movement = Movement(idempotency_key(request), "transfer", customer, to, amount_in(fields))
        return self._move(movement, epoch_in(request))

    async def _payment(self, customer: int, request: web.BaseRequest) -> Work:
        fields = await json_fields(request, {"payee": str, "amount": int})
        payee = short_text(fields["payee"], "payee")
        through = clearing_account(payee)
        movement = Movement(idempotency_key(request), "payment", customer, through, amount_in(fields), payee)
        return self._move(movement, epoch_in(request))

    def _move(self, movement: Movement, epoch: Epoch | None) -> Work:
        async def work(deadline: Deadline) -> Done:
            booked = await self._books.move(movement, epoch, deadline)
            self._counts.moved(movement.operation, repeated=booked.repeated)
            return 201, {
                "movement": booked.movement,
                "key": str(movement.key),
                "repeated": booked.repeated,
                "balance": booked.balance,
            }

        return work


def _answer(status: int, fields: dict[str, Any]) -> web.Response:
    response = reply(status, fields)
    if random.random() < CLOSE_SHARE:
        response.force_close()
    return response


async def run(settings: LedgerSettings, host: str, port: int) -> None:
    """Be a ledger until told to end."""
    common = settings.common
    metrics = ServiceMetrics("ledger", zone=common.zone, pod=common.pod, cell=settings.cell)
    primary = _primary(settings)
    access = Access(primary, settings.db_pool)
    epochs = EpochKeeper(
        access,
        settings.cell,
        observe=CellMetrics(metrics.registry).observe,
        search_pause_s=settings.db_search_s,
    )
    ledger = Ledger(
        cells=common.cells,
        cell=settings.cell,
        sessions=Sessions(common.token_secret, common.session_s),
        slots=_slots(settings, metrics),
        service_s=settings.capacity.service_s,
        primary=primary,
        books=Books(access, idempotency=settings.idempotency),
        epochs=epochs,
        counts=BookMetrics(metrics.registry, settings.cell, lambda: primary.available),
    )
    started_s = time.monotonic()

    def ready() -> bool:
        # A new ledger waits for its first look at the books; a lost database takes no ledger out of service,
        # for then there would be nobody left to say what is wrong.
        return primary.found_once.is_set() or time.monotonic() - started_s > READY_ANYWAY_S

    async def serving() -> bool:
        return primary.available

    service = Service("ledger", ledger.answer, metrics, ready, serving, "/cell", ledger.cell)
    loops = {"the search for the primary": primary.watch(), "the watch over the epoch": epochs.keep()}
    async with beside(service.end, loops):
        await service.run(host, port, common.drain_s)


def _primary(settings: LedgerSettings) -> Primary:
    async def prepare(connection: Connection) -> None:
        await ensure(connection, settings.common.cells, settings.cell, settings.customers, settings.home)

    return Primary(
        parse_dsn(settings.db_dsn),
        password=settings.db_password,
        pool_size=settings.db_pool,
        prepare=prepare,
        search_pause_s=settings.db_search_s,
    )


def _slots(settings: LedgerSettings, metrics: ServiceMetrics) -> Slots:
    counts = SlotMetrics(metrics.registry)
    slots = Slots(settings.capacity.slots, counts.wait)
    counts.watch(slots)
    return slots
