"""The clearing party: takes the bank's payment orders, decides each once, and answers for it ever after.

    POST /orders {key, origin, day, payer, payee, amount} -> 200 confirmed | refused, 202 known; 409 key of another
    GET /orders?origin=&key=    -> 200 {state: unknown | known | confirmed | refused, paid, came, orders: [...]}
    GET /days?day=&origin=&after=&limit=                  -> 200 {orders: [...], next: number or null}

A 200 is durable: it is given again after any crash. An order that comes again is the same order.
Each origin has keys of its own.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from aiohttp import web

from stormbank.background import beside
from stormbank.external.orders import CONFIRMED, KNOWN, REFUSED, Entry, Order, Orders
from stormbank.external.shell import Handler, Shell
from stormbank.problem import BadRequest
from stormbank.request import amount_in, json_fields, short_text
from stormbank.service import reply
from stormbank.settings.clearing import ClearingSettings
from stormbank.wait import pause

T = TypeVar("T")

LARGEST_PAGE: Final = 1000
DECIDE_EVERY_S: Final = 0.05


class Clearing:
    """Answers for the books, which are used in `thread` only, one piece of work after the other.

    `refuses` tells of a key whether its order is refused.
    """

    def __init__(
        self, books: Orders, thread: ThreadPoolExecutor, refuses: Callable[[str], bool], *, decide_s: float
    ) -> None:
        self._books = books
        self._thread = thread
        self._refuses = refuses
        self._decide_s = decide_s

    async def order(self, request: web.BaseRequest) -> web.Response:
        """Take an order."""
        kinds = {"key": str, "origin": str, "day": str, "payer": int, "payee": str, "amount": int}
        fields = await json_fields(request, kinds)
        order = Order(
            key=_key(fields["key"]),
            origin=short_text(fields["origin"], "origin"),
            day=_day(fields["day"]),
            payer=_account(fields["payer"]),
            payee=short_text(fields["payee"], "payee"),
            amount=amount_in(fields),
        )
        verdict = REFUSED if self._refuses(order.key) else CONFIRMED
        entry, repeated = await self._work(
            lambda: self._books.place(order, verdict, decided=not self._decide_s)
        )
        return reply(202 if entry.state == KNOWN else 200, {**entry.fields(), "repeated": repeated})

    async def question(self, request: web.BaseRequest) -> web.Response:
        """Tell what became of a key of an origin, and what it stands for."""
        query = _query(request, "origin", "key")
        origin, key = short_text(query.get("origin", ""), "origin"), _key(query.get("key", ""))
        entries = await self._work(lambda: self._books.named(origin, key))
        came = sum(each.came for each in entries)
        told = {"key": key, "state": _state(entries), "paid": _paid(entries), "came": came}
        return reply(200, {**told, "orders": [each.fields() for each in entries]})

    async def day(self, request: web.BaseRequest) -> web.Response:
        """List a day's orders of an origin, page by page."""
        query = _query(request, "day", "origin", "after", "limit")
        day, origin = _day(query.get("day", "")), short_text(query.get("origin", ""), "origin")
        after, limit = _whole(query, "after", 0, 2**62), _whole(query, "limit", 500, LARGEST_PAGE)
        found = await self._work(lambda: self._books.of_day(day, origin, after, limit))
        more = found[-1].number if found and len(found) == limit else None
        return reply(200, {"orders": [each.fields() for each in found], "next": more})

    async def decide(self) -> None:
        """Decide orders when their time has come; runs until cancelled."""
        while True:
            await self._work(lambda: self._books.decide(self._decide_s))
            await pause(DECIDE_EVERY_S if self._decide_s else 1.0)

    async def _work(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _query(request: web.BaseRequest, *names: str) -> dict[str, str]:
    wrong = sorted(set(request.query) - set(names))
    if wrong:
        raise BadRequest("unknown: " + ", ".join(wrong))
    return dict(request.query)


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


def _whole(query: dict[str, str], name: str, default: int, most: int) -> int:
    text = str(query.get(name, default))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise BadRequest(f"{name} is not a whole number of at most {most}")
    return int(text)


async def run(settings: ClearingSettings, host: str, port: int) -> None:
    """Be the clearing party until told to end; OSError when its books or its port cannot be had."""
    thread = ThreadPoolExecutor(1, "books")
    loop = asyncio.get_running_loop()
    settings.books.parent.mkdir(parents=True, exist_ok=True)
    books = await loop.run_in_executor(
        thread, lambda: Orders(settings.books, idempotency=settings.idempotency)
    )
    routes: dict[tuple[str, str], Handler] = {}
    shell = Shell("clearing", routes, settings.external.trouble)
    clearing = Clearing(books, thread, shell.refuses, decide_s=settings.decide_s)
    routes["POST", "/orders"] = clearing.order
    routes["GET", "/orders"] = clearing.question
    routes["GET", "/days"] = clearing.day
    try:
        async with beside(shell.end, {"the deciding of orders": clearing.decide()}):
            await shell.run(settings.external, host, port)
    finally:
        await loop.run_in_executor(thread, books.close)
        thread.shutdown()
