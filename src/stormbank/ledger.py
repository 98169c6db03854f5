"""The ledger: does the business of a request in a worker slot and on the books."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from aiohttp import web

from stormbank.background import beside
from stormbank.cells import HEADER as CELL_HEADER
from stormbank.cells import Cells
from stormbank.clearing.order import KIND, content
from stormbank.db.access import Access
from stormbank.db.address import parse_dsn
from stormbank.db.books import Books, Movement, Outgoing, clearing_account
from stormbank.db.credentials import Credentials
from stormbank.db.epoch import EpochKeeper
from stormbank.db.pool import Connection
from stormbank.db.primary import Primary
from stormbank.db.schema import check, ensure
from stormbank.db.showing import Showing
from stormbank.db.standby import Standbys
from stormbank.deadline import HEADER, Deadline
from stormbank.epoch import Epoch
from stormbank.funds import PAYEES
from stormbank.ledger_customers import CustomerDesk
from stormbank.ledger_transit import TransitDesk
from stormbank.mark import Mark
from stormbank.metrics import BookMetrics, CellMetrics, ServiceMetrics, SlotMetrics, StaleReads
from stormbank.operations import Operation
from stormbank.outbox.sending import sending_of
from stormbank.outcome import outcome_of
from stormbank.problem import BadRequest, Misrouted, Problem, Refused, StaleEpoch, Unavailable
from stormbank.request import epoch_in, idempotency_key, json_fields, money_fields, short_text
from stormbank.service import CLOSE_SHARE, Service, reply
from stormbank.session import Sessions
from stormbank.settings.ledger import LedgerSettings
from stormbank.slots import Slots
from stormbank.staleness import HEADER as AS_OF
from stormbank.transit import Transfer, kind_of, transit_account
from stormbank.work import Done, Reader, Work
from stormbank.wrong import Wrong

READY_ANYWAY_S: Final = 5.0


class Ledger:
    """Answers operations from the books of one cell.

    `sent` is told of movements that something is to be done elsewhere for. `reached` are the other cells that its
    customers can send to. `pays_out` says that payments leave the bank, but for those to its own funds; else they are
    booked and nothing more. `limit` is the most that a customer can move at a time, in fen.
    """

    def __init__(
        self,
        *,
        cells: Cells,
        cell: str,
        sessions: Sessions,
        slots: Slots,
        service_s: Mapping[str, float],
        books: Books,
        showing: Showing,
        credentials: Credentials,
        epochs: EpochKeeper,
        counts: BookMetrics,
        sent: Callable[[Movement], None],
        reached: Collection[str],
        pays_out: bool,
        limit: int,
    ) -> None:
        self._cells = cells
        self._cell = cell
        self._sessions = sessions
        self._slots = slots
        self._service_s = service_s
        self._books = books
        self._showing = showing
        self._epochs = epochs
        self._counts = counts
        self._sent = sent
        self._reached = reached
        self._pays_out = pays_out
        self._limit = limit
        self._readers: dict[str, Reader] = {
            "balance": self._balance,
            "transfer": self._transfer,
            "payment": self._payment,
            "bills": self._bills,
            "keep_checkin": self._keep_check_in,
            **CustomerDesk(credentials).readers,
            **TransitDesk(
                books, cells, cell, lambda repeated: counts.moved("credit", repeated=repeated)
            ).readers,
        }

    async def answer(self, operation: Operation, request: web.BaseRequest) -> web.Response:
        """Serve one operation; Problem otherwise."""
        deadline = Deadline.from_header(request.headers.get(HEADER))
        if request.headers.get(CELL_HEADER, self._cell) != self._cell:
            raise Misrouted("cell", cell=self._cell)
        if operation.internal:
            customer = self._own(self._sessions.customer_behind(request.headers))
        else:
            customer = self._own(self._sessions.customer_of(request.headers.get("Authorization")))
        # What cannot be done is refused before it occupies a slot: a bad request, or no books at all.
        work = await self._readers[operation.name](customer, request)
        if not self._showing.can_do(operation.name):
            raise Unavailable("database")
        await self._slots.work(self._service_s[operation.name], deadline)
        status, fields = await self._done(operation, work, deadline)
        response = reply(status, fields)
        if "as_of" in fields:
            response.headers[AS_OF] = fields["as_of"]
        return response

    async def cell(self) -> web.Response:
        """Tell the cell's state; Problem while it is unknown."""
        return reply(200, (await self._epochs.now()).fields())

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

    async def _balance(self, customer: int, request: web.BaseRequest) -> Work:
        epoch = epoch_in(request)

        async def work(deadline: Deadline) -> Done:
            return 200, {"account": customer, **await self._showing.balance(customer, epoch, deadline)}

        return work

    async def _bills(self, customer: int, request: web.BaseRequest) -> Work:
        epoch = epoch_in(request)

        async def work(deadline: Deadline) -> Done:
            return 200, await self._showing.bills(customer, epoch, deadline)

        return work

    async def _keep_check_in(self, customer: int, request: web.BaseRequest) -> Work:
        place = short_text((await json_fields(request, {"place": str}))["place"], "place")
        epoch = epoch_in(request)

        async def work(deadline: Deadline) -> Done:
            await self._books.check_in(customer, place, epoch, deadline)
            return 201, {"customer": customer, "place": place}

        return work

    async def _transfer(self, customer: int, request: web.BaseRequest) -> Work:
        fields = await money_fields(request, "transfer")
        to = fields["to"]
        if not 0 < to < 2**63:
            raise BadRequest(Wrong.ACCOUNT, "to is not the number of an account")
        if to == customer:
            raise BadRequest(Wrong.SAME_ACCOUNT, "to is the customer's own account")
        mark = Mark.read(request.headers)
        movement = Movement(idempotency_key(request), "transfer", customer, to, fields["amount"], mark=mark)
        if (there := self._cells.of(to)) != self._cell:
            movement = self._across(movement, there)
        return self._move(movement, epoch_in(request))

    def _across(self, movement: Movement, there: str) -> Movement:
        """Return the payer's half of a transfer to the cell `there`, with what its ledger is to be asked."""
        if there not in self._reached:
            raise Refused("unknown_account")
        to = movement.to_account
        transfer = Transfer(movement.key, movement.from_account, to, movement.amount)
        return replace(
            movement,
            to_account=transit_account(self._cells, there, movement.key),
            beyond=to,
            outgoing=Outgoing(kind_of(there), transfer.content()),
        )

    async def _payment(self, customer: int, request: web.BaseRequest) -> Work:
        fields = await money_fields(request, "payment")
        payee = short_text(fields["payee"], "payee")
        through = clearing_account(payee)
        mark = Mark.read(request.headers)
        key, amount = idempotency_key(request), fields["amount"]
        movement = Movement(key, "payment", customer, through, amount, payee, mark=mark)
        if self._pays_out and payee not in PAYEES:
            movement = replace(movement, outgoing=Outgoing(KIND, content(customer, payee, amount)))
        return self._move(movement, epoch_in(request))

    def _move(self, movement: Movement, epoch: Epoch | None) -> Work:
        async def work(deadline: Deadline) -> Done:
            if movement.amount > self._limit:
                await self._demand_booked(movement, epoch, deadline)
            booked = await self._books.move(movement, epoch, deadline)
            self._counts.moved(movement.operation, repeated=booked.repeated)
            if movement.outgoing is not None and not booked.repeated:
                self._sent(movement)
            return 201, {
                "movement": booked.movement,
                "key": str(movement.key),
                "repeated": booked.repeated,
                "state": booked.state,
                "balance": booked.balance,
            }

        return work

    async def _demand_booked(self, movement: Movement, epoch: Epoch | None, deadline: Deadline) -> None:
        """Refuse what is over the limit, unless it was booked when the limit was another one."""
        if await self._books.confirm(movement.from_account, movement.key, epoch, deadline) is None:
            raise Refused("over_limit", most=self._limit)


async def run(settings: LedgerSettings, host: str, port: int) -> None:
    """Be a ledger until told to end."""
    common = settings.common
    metrics = ServiceMetrics("ledger", zone=common.zone, pod=common.pod, cell=settings.cell)
    primary = _primary(settings)
    access = Access(primary, settings.db_pool)
    standbys = _standbys(settings)
    cell_metrics = CellMetrics(metrics.registry)
    epochs = EpochKeeper(
        access, settings.cell, observe=cell_metrics.observe, search_pause_s=settings.db_search_s
    )
    sessions = Sessions(common.token_secret, common.session_s)
    started_s = time.monotonic()

    def ready() -> bool:
        # A new ledger waits for its first look at the books; a lost database takes no ledger out of service,
        # for then there would be nobody left to say what is wrong.
        return primary.found_once.is_set() or time.monotonic() - started_s > READY_ANYWAY_S

    async def serving() -> bool:
        return primary.available

    async with AsyncExitStack() as stack:
        sending = await stack.enter_async_context(
            sending_of(settings, access, epochs, sessions, metrics, observe=cell_metrics.observe)
        )
        ledger = Ledger(
            cells=common.cells,
            cell=settings.cell,
            sessions=sessions,
            slots=_slots(settings, metrics),
            service_s=settings.capacity.service_s,
            showing=Showing(primary, access, standbys, StaleReads(metrics.registry, settings.cell).read),
            books=Books(access, idempotency=settings.idempotency, outbox=settings.outbox),
            credentials=Credentials(access, settings.code_tries),
            epochs=epochs,
            counts=BookMetrics(metrics.registry, settings.cell, lambda: primary.available),
            sent=sending.sent,
            reached=sending.reached,
            pays_out=settings.clearing is not None,
            limit=settings.transfer_limit,
        )
        service = Service(
            "ledger", ledger.answer, metrics, ready, serving, "/cell", ledger.cell, close_share=CLOSE_SHARE
        )
        loops = {
            "the search for the primary": primary.watch(),
            "the watch over the epoch": epochs.keep(),
            "the beat for standbys": standbys.keep(primary),
        }
        await stack.enter_async_context(beside(service.end, {**loops, **sending.loops}))
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


def _standbys(settings: LedgerSettings) -> Standbys:
    async def same_bank(connection: Connection) -> None:
        await check(connection, settings.common.cells, settings.cell)

    return Standbys(
        parse_dsn(settings.db_dsn),
        password=settings.db_password,
        longest_s=settings.stale_max_s or 0.0,
        same_bank=same_bank,
    )


def _slots(settings: LedgerSettings, metrics: ServiceMetrics) -> Slots:
    counts = SlotMetrics(metrics.registry)
    slots = Slots(settings.capacity.slots, counts.wait)
    counts.watch(slots)
    return slots
