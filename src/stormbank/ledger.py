"""The ledger: does the business of a request in a worker slot and on the books."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web

from stormbank.db.access import Access
from stormbank.db.address import parse_dsn
from stormbank.db.books import Booked, Books, Movement, clearing_account
from stormbank.db.pool import Connection
from stormbank.db.primary import Primary
from stormbank.db.schema import ensure
from stormbank.deadline import HEADER, Deadline
from stormbank.metrics import BookMetrics, ServiceMetrics, SlotMetrics
from stormbank.operations import Operation
from stormbank.problem import BadRequest, Unauthorized, Unavailable
from stormbank.service import Service, cancelled, reply
from stormbank.session import Sessions
from stormbank.settings import Settings
from stormbank.slots import Slots

READY_ANYWAY_S: Final = 5.0
LARGEST_AMOUNT: Final = 10**12
# Gateways reach ledgers by an address that chooses once per connection. Ending some connections keeps the
# choice fresh: a replaced ledger gets its share of the load within seconds.
CLOSE_SHARE: Final = 0.02


class Ledger:
    """Answers operations from the books."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        slots: Slots,
        service_s: Mapping[str, float],
        primary: Primary,
        books: Books,
        counts: BookMetrics,
    ) -> None:
        self._sessions = sessions
        self._slots = slots
        self._service_s = service_s
        self._primary = primary
        self._books = books
        self._counts = counts
        self._handlers: dict[str, Callable[[int, web.BaseRequest, Deadline], Awaitable[web.Response]]] = {
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
        customer = 0
        if operation.session:
            customer = self._sessions.customer_of(request.headers.get("Authorization"))
        # Without the books no slot is worth occupying: say so at once.
        if not self._primary.available:
            raise Unavailable("database")
        await self._slots.work(self._service_s[operation.name], deadline)
        response = await self._handlers[operation.name](customer, request, deadline)
        if random.random() < CLOSE_SHARE:
            response.force_close()
        return response

    async def _login(self, _: int, request: web.BaseRequest, deadline: Deadline) -> web.Response:
        fields = await _fields(request, {"customer": int, "device": str, "password": str})
        customer = fields["customer"]
        known = 0 < customer < 2**63
        if not known or not await self._books.password_is(customer, fields["password"], deadline):
            raise Unauthorized("credentials")
        return reply(200, {"customer": customer})

    async def _balance(self, customer: int, _: web.BaseRequest, deadline: Deadline) -> web.Response:
        balance = await self._books.balance(customer, deadline)
        return reply(200, {"account": customer, "balance": balance})

    async def _bills(self, customer: int, _: web.BaseRequest, deadline: Deadline) -> web.Response:
        return reply(200, {"entries": await self._books.bills(customer, deadline)})

    async def _check_in(self, customer: int, request: web.BaseRequest, deadline: Deadline) -> web.Response:
        place = _short((await _fields(request, {"place": str}))["place"], "place")
        await self._books.check_in(customer, place, deadline)
        return reply(201, {"customer": customer, "place": place})

    async def _transfer(self, customer: int, request: web.BaseRequest, deadline: Deadline) -> web.Response:
        fields = await _fields(request, {"to": int, "amount": int})
        to = fields["to"]
        if not 0 < to < 2**63 or to == customer:
            raise BadRequest("to is not the account of another customer")
        movement = Movement(_key(request), "transfer", customer, to, _amount(fields))
        return self._booked(movement, await self._books.move(movement, deadline))

    async def _payment(self, customer: int, request: web.BaseRequest, deadline: Deadline) -> web.Response:
        fields = await _fields(request, {"payee": str, "amount": int})
        payee = _short(fields["payee"], "payee")
        through = clearing_account(payee)
        movement = Movement(_key(request), "payment", customer, through, _amount(fields), payee)
        return self._booked(movement, await self._books.move(movement, deadline))

    def _booked(self, movement: Movement, booked: Booked) -> web.Response:
        self._counts.moved(movement.operation, repeated=booked.repeated)
        return reply(
            201,
            {
                "movement": booked.movement,
                "key": str(movement.key),
                "repeated": booked.repeated,
                "balance": booked.balance,
            },
        )


async def _fields(request: web.BaseRequest, wanted: dict[str, type]) -> dict[str, Any]:
    """Read a JSON object with exactly the `wanted` fields."""
    try:
        found = json.loads(await request.read())
    except (ValueError, web.HTTPRequestEntityTooLarge):
        raise BadRequest("body is not JSON") from None
    if not isinstance(found, dict):
        raise BadRequest("body is not an object")
    wrong = sorted(set(found) ^ set(wanted))
    # Exactly the type: true is an int to Python, and no amount of money.
    wrong += [name for name, kind in wanted.items() if name in found and type(found[name]) is not kind]
    if wrong:
        raise BadRequest("missing, unknown or mistyped: " + ", ".join(wrong))
    return found


def _key(request: web.BaseRequest) -> uuid.UUID:
    try:
        return uuid.UUID(request.headers.get("Idempotency-Key", ""))
    except ValueError:
        raise BadRequest("Idempotency-Key is not a UUID") from None


def _amount(fields: dict[str, Any]) -> int:
    amount = int(fields["amount"])
    if not 0 < amount <= LARGEST_AMOUNT:
        raise BadRequest(f"amount is not within 1 to {LARGEST_AMOUNT} fen")
    return amount


def _short(text: str, name: str) -> str:
    # PostgreSQL stores no NUL, and JSON may hold half a surrogate pair.
    if not 0 < len(text) <= 64 or "\x00" in text or not text.isprintable():
        raise BadRequest(f"{name} is not 1 to 64 printable characters")
    return text


async def run(settings: Settings, host: str, port: int) -> None:
    """Be a ledger until told to end."""
    metrics = ServiceMetrics("ledger", zone=settings.zone, pod=settings.pod)
    slot_metrics = SlotMetrics(metrics.registry)
    slots = Slots(settings.slots, slot_metrics.wait)
    slot_metrics.watch(slots)

    async def prepare(connection: Connection) -> None:
        await ensure(connection, settings.customers)

    primary = Primary(
        parse_dsn(settings.db_dsn),
        password=settings.db_password,
        pool_size=settings.db_pool,
        prepare=prepare,
    )
    ledger = Ledger(
        sessions=Sessions(settings.token_secret, settings.session_s),
        slots=slots,
        service_s=settings.service_s,
        primary=primary,
        books=Books(Access(primary, settings.db_pool), idempotency=settings.idempotency),
        counts=BookMetrics(metrics.registry, lambda: primary.available),
    )
    started_s = time.monotonic()

    def ready() -> bool:
        # A new ledger waits for its first look at the books; a lost database takes no ledger out of service,
        # for then there would be nobody left to say what is wrong.
        return primary.found_once.is_set() or time.monotonic() - started_s > READY_ANYWAY_S

    service = Service("ledger", ledger.answer, metrics, ready=ready)
    watching = asyncio.create_task(primary.watch())
    try:
        await service.run(host, port, settings.drain_s)
    finally:
        await cancelled(watching)
