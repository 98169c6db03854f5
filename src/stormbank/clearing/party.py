"""The way to the clearing party. What it does not answer in time is unknown, never refused."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from yarl import URL

from stormbank.clearing.order import CONFIRMED, KNOWN, REFUSED, UNKNOWN, PaymentOrder

CONNECT_TIMEOUT_S: Final = 0.5
PAGE: Final = 500
NAME: Final = "clearing"
"""Of the party as a dependency."""
OUTCOMES: Final = ("good", "refused", "failed", "late")
"""Of a question to it; `refused`: it was not understood."""
_STATES: Final = (CONFIRMED, REFUSED, KNOWN, UNKNOWN)

log = logging.getLogger(__name__)


class NoAnswerError(Exception):
    """The clearing party said nothing of use; it may or may not have done what it was asked."""


@dataclass(frozen=True)
class Standing:
    """What the party says of an order: its state, and what it has paid out for it in fen."""

    state: str
    paid: int


@dataclass(frozen=True)
class Listed:
    """An order in the party's list of a day."""

    key: str
    order: PaymentOrder
    state: str


class Party:
    """Connections to the clearing party at `url`; every question ends within `timeout_s`, or NoAnswerError.

    `count` is told the outcome of each question, one of OUTCOMES.
    """

    def __init__(self, url: str, timeout_s: float, count: Callable[[str], None] = lambda _: None) -> None:
        self._count = count
        self._orders, self._days = URL(url) / "orders", URL(url) / "days"
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            connector=aiohttp.TCPConnector(limit=0, happy_eyeballs_delay=None),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def order(self, key: uuid.UUID, origin: str, order: PaymentOrder) -> str:
        """Send an order, or the same one again; its state."""
        body = {"key": str(key), **order.body(origin)}
        return _state(await self._ask("POST", self._orders, json.dumps(body)))

    async def standing(self, key: uuid.UUID, origin: str, order: PaymentOrder) -> Standing:
        """Ask what became of an order. Unknown may only mean that it is still on its way.

        Refused, too, when the key stands for another order: the party keeps that, and takes ours never.
        """
        found = await self._ask("GET", self._orders.with_query(origin=origin, key=str(key)))
        try:
            entries = [Listed(each["key"], PaymentOrder.of(each), _state(each)) for each in found["orders"]]
        except (KeyError, TypeError) as error:
            raise NoAnswerError(f"not the orders of a key: {error!r}") from None
        states = [each.state for each in entries if each.order.same(order)]
        if entries and not states:
            log.warning("clearing has key %s of %s for another order: ours will not be paid", key, origin)
            return Standing(REFUSED, 0)
        state = next((each for each in (CONFIRMED, KNOWN, REFUSED) if each in states), UNKNOWN)
        return Standing(state, order.amount * states.count(CONFIRMED))

    async def of_day(self, day: str, origin: str) -> AsyncIterator[list[Listed]]:
        """List the orders of a day of the cell `origin`, page by page."""
        after: int | None = 0
        while after is not None:
            query = {"day": day, "origin": origin, "after": str(after), "limit": str(PAGE)}
            page = await self._ask("GET", self._days.with_query(query))
            try:
                yield [Listed(each["key"], PaymentOrder.of(each), _state(each)) for each in page["orders"]]
                after = page["next"]
            except (KeyError, TypeError) as error:
                raise NoAnswerError(f"not a list of orders: {error!r}") from None

    async def _ask(self, method: str, address: URL, body: str | None = None) -> dict[str, Any]:
        if self._session is None:
            raise RuntimeError("used before it was entered")
        try:
            async with self._session.request(method, address, data=body) as response:
                answer = json.loads(await response.read())
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            self._count("late" if isinstance(error, TimeoutError) else "failed")
            raise NoAnswerError(f"{type(error).__name__}: {error}") from None
        if response.status not in (200, 202) or not isinstance(answer, dict):
            misunderstood = 400 <= response.status < 500
            self._count("refused" if misunderstood else "failed")
            if response.status < 500:
                # The party does not understand us, and will not by itself. The money stays where it is, to be seen.
                log.warning("clearing answers %s %s with %d %s", method, address, response.status, answer)
            raise NoAnswerError(f"status {response.status}")
        self._count("good")
        return answer


def _state(answer: dict[str, Any]) -> str:
    state = answer.get("state")
    if state not in _STATES:
        raise NoAnswerError(f"{state!r} is no state")
    return str(state)
