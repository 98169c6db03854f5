"""The clearing party: takes the bank's payment orders, decides each once, and answers for it ever after.

    PUT /orders/KEY  {origin, day, payer, payee, amount} -> 200 confirmed | refused, 202 known; 409 another order's key
    GET /orders/KEY                                      -> 200 {state: unknown | known | confirmed | refused, paid}
    GET /orders?day=&origin=&after=&limit=               -> 200 {orders: [...], next: number or null}

A 200 is durable: it is given again after any crash. An order that comes again is the same order.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from aiohttp import web

from stormbank.background import beside
from stormbank.external.conduct import Behaviour
from stormbank.external.orders import CONFIRMED, KNOWN, REFUSED, Entry, Order, Orders
from stormbank.external.shell import Address, Shell
from stormbank.metrics import ExternalMetrics
from stormbank.problem import BadRequest
from stormbank.request import amount_in, json_fields, short_text
from stormbank.service import reply
from stormbank.settings.clearing import ClearingSettings
from stormbank.wait import pause

T = TypeVar("T")

LARGEST_PAGE: Final = 1000
DECIDE_EVERY_S: Final = 0.05


class Clearing:
    """Answers for the books. They are used in `thread` only, one piece of work after the other."""

    def __init__(
        self, books: Orders, thread: ThreadPoolExecutor, behaviour: Behaviour, *, decide_s: float
    ) -> None:
        self._books = books
        self._thread = thread
        self._behaviour = behaviour
        self._decide_s = decide_s

    def addresses(self) -> tuple[Address, ...]:
        """Return what the party does."""
        return (
            Address("order", "PUT", "/orders/{key}", self.order),
            Address("question", "GET", "/orders/{key}", self.question),
            Address("list", "GET", "/orders", self.list),
        )

    async def order(self, request: web.Request) -> web.Response:
        """Take an order."""
        key = _key(request.match_info["key"])
        kinds = {"origin": str, "day": str, "payer": int, "payee": str, "amount": int}
        fields = await json_fields(request, kinds)
        order = Order(
            key=key,
            origin=short_text(fields["origin"], "origin"),
            day=_day(fields["day"]),
            payer=_account(fields["payer"]),
            payee=short_text(fields["payee"], "payee"),
            amount=amount_in(fields),
        )
        verdict = REFUSED if self._behaviour.refuses(key) else CONFIRMED
        entry, repeated = await self._work(
            lambda: self._books.place(order, verdict, decided=not self._decide_s)
        )
        return reply(202 if entry.state == KNOWN else 200, {**entry.fields(), "repeated": repeated})

    async def question(self, request: web.Request) -> web.Response:
        """Tell what became of a key."""
        key = _key(request.match_info["key"])
        entries = await self._work(lambda: self._books.named(key))
        return reply(200, {"key": key, "state": _state(entries), "paid": _paid(entries)})

    async def list(self, request: web.Request) -> web.Response:
        """List a day's orders of an origin, page by page."""
        query = dict(request.query)
        wrong = sorted(set(query) - {"day", "origin", "after", "limit"})
        if wrong:
            raise BadRequest("unknown: " + ", ".join(wrong))
        day, origin = _day(query.get("day", "")), short_text(query.get("origin", ""), "origin")
        after, limit = _whole(query, "after", 0, 2**62), _whole(query, "limit", 500, LARGEST_PAGE)
        found = await self._work(lambda: self._books.of_day(day, origin, after, limit))
        more = found[-1].number if len(found) == limit and limit else None
        return reply(200, {"orders": [each.fields() for each in found], "next": more})

    async def decide(self) -> None:
        """Decide orders when their time has come; runs until cancelled."""
        while True:
            await self._work(lambda: self._books.decide(self._decide_s))
            await pause(DECIDE_EVERY_S if self._decide_s else 1.0)

    async def _work(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _state(entries: list[Entry]) -> str:
    states = {each.state for each in entries}
    return next((state for state in (CONFIRMED, KNOWN, REFUSED) if state in states), "unknown")


def _paid(entries: list[Entry]) -> int:
    return sum(each.order.amount for each in entries if each.state == CONFIRMED)


def _key(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise BadRequest("the key is not a UUID") from None


def _account(number: int) -> int:
    if not 0 < number < 2**63:
        raise BadRequest("payer is not an account")
    return number


def _day(text: str) -> str:
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise BadRequest("day is not YYYY-MM-DD") from None


def _whole(query: dict[str, Any], name: str, default: int, most: int) -> int:
    text = str(query.get(name, default))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise BadRequest(f"{name} is not a whole number of at most {most}")
    return int(text)


async def run(settings: ClearingSettings, host: str, port: int) -> None:
    """Be the clearing party until told to end; OSError when its books or its port cannot be had."""
    thread = ThreadPoolExecutor(1, "books")
    loop = asyncio.get_running_loop()
    behaviour = Behaviour(settings.conduct, settings.seed)
    settings.books.parent.mkdir(parents=True, exist_ok=True)
    books = await loop.run_in_executor(
        thread, lambda: Orders(settings.books, idempotency=settings.idempotency)
    )
    clearing = Clearing(books, thread, behaviour, decide_s=settings.decide_s)
    shell = Shell("clearing", clearing.addresses(), behaviour, ExternalMetrics("clearing", pod=settings.pod))
    try:
        async with beside(shell.end, {"the deciding of orders": clearing.decide()}):
            await shell.run(host, port)
    finally:
        await loop.run_in_executor(thread, books.close)
        thread.shutdown()
