"""The way to a service: kept-alive connections, and another of its pods when one breaks.

A broken connection is retried at once: every operation is idempotent, money by its key. A slow answer is
never retried; that would multiply load on a system that is already behind. For the same reason retries have a budget.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

import aiohttp
from aiohttp.connector import AddrInfoType
from aiohttp.typedefs import StrOrURL
from yarl import URL

from stormbank import queueing
from stormbank.addresses import Addresses, Order, in_turn
from stormbank.deadline import HEADER, Deadline
from stormbank.operations import Operation
from stormbank.problem import DeadlineExceeded, Unavailable
from stormbank.staleness import HEADER as AS_OF
from stormbank.wait import pause
from stormbank.watchful import watch

# Each try comes after so many seconds. With two pods in a zone, several new connections that all meet the
# dead one are rare, and by the last one its endpoint is gone.
BACKOFF_S: Final = (0.0, 0.0, 0.02, 0.1, 0.3)
CONNECT_TIMEOUT_S: Final = 0.4
KEEPALIVE_S: Final = 30.0


@dataclass(frozen=True)
class UpstreamAnswer:
    """What a service answered, unread. `queue_s` is for how long it says that the request waited, if it does.

    With `as_of` it is not the newest.
    """

    status: int
    body: bytes
    retry_after: str | None
    queue_s: float | None = None
    as_of: str | None = None


class Retries(Protocol):
    """Whether there is anything left to repeat requests with."""

    def asked(self) -> None:
        """One request is made, for the first time."""

    def take(self) -> bool:
        """Spend one retry; false when there is none left."""


class _AsManyAsNeeded:
    def asked(self) -> None:
        pass

    def take(self) -> bool:
        return True


class Upstream:
    """Connections to the service `name` at `urls`; with several, a retry goes to the next one.

    `name` is the reason that a refusal for want of an answer gives. `retries` may end the trying before the last try.
    `order` says which addresses come first where they are no equals; there may be others than `urls` among them.
    """

    def __init__(
        self, name: str, urls: Sequence[str], retries: Retries | None = None, order: Order | None = None
    ) -> None:
        self._name = name
        self._retries = retries or _AsManyAsNeeded()
        self._addresses = Addresses(order or in_turn(urls))
        self._known: dict[tuple[str, str], URL] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=KEEPALIVE_S,
                socket_factory=_watchful_socket,
                # One try at a time: the addresses of a name are equals here.
                happy_eyeballs_delay=None,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept"),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self,
        operation: Operation,
        headers: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
        query: str = "",
    ) -> UpstreamAnswer:
        """Pass one request on; Unavailable when nobody is reached, DeadlineExceeded when nobody answers.

        `query` is as it stands in an address.
        """
        sent = False
        broke: str | None = None
        turned_away: UpstreamAnswer | None = None
        self._retries.asked()
        for number, backoff_s in enumerate(BACKOFF_S):
            if number and not self._retries.take():
                return self._given_up("retry_budget", turned_away, operation, sent=sent)
            if backoff_s:
                await pause(backoff_s)
            budget_ms = deadline.next_hop_ms()
            if budget_ms <= 0:
                raise DeadlineExceeded(self._name, outcome=_outcome(operation, sent=sent))
            chosen = self._addresses.choose(broke)
            address = self._address(chosen, operation.path, query)
            try:
                passed_on = {**headers, HEADER: str(budget_ms)}
                answer = await self._send(operation, address, passed_on, body, deadline)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                self._addresses.unreachable(chosen)
                continue
            except TimeoutError:
                raise DeadlineExceeded(self._name, outcome=_outcome(operation, sent=True)) from None
            except aiohttp.ClientError:
                sent, broke = True, chosen
                continue
            if not sent and _without_books(answer) and self._addresses.elsewhere(chosen):
                # It has done nothing, and one that has found the new primary already may do it: a zone that was cut off
                # is there again before its ledgers know where the books are now.
                self._addresses.unreachable(chosen)
                turned_away = answer
                continue
            self._addresses.reached(chosen)
            if answer.status >= 400 and _outcome(operation, sent=sent) == "unknown":
                # Another one's refusal does not say what became of the try that was cut off.
                break
            return answer
        return self._given_up(self._name, turned_away, operation, sent=sent)

    def _given_up(
        self, reason: str, turned_away: UpstreamAnswer | None, operation: Operation, *, sent: bool
    ) -> UpstreamAnswer:
        """Return the refusal that there was, or raise Unavailable with the reason."""
        if turned_away is not None and not sent:
            return turned_away
        named = {} if reason == self._name else {"dependency": self._name}
        raise Unavailable(reason, outcome=_outcome(operation, sent=sent), **named)

    async def serving(self) -> bool:
        """Whether one answers that business can be done; asked now, in turn, within a short time."""
        if self._session is None:
            raise RuntimeError("used before it was entered")
        timeout = aiohttp.ClientTimeout(total=CONNECT_TIMEOUT_S)
        address = self._address(self._addresses.choose(), "/servez")
        try:
            async with self._session.get(address, timeout=timeout) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _address(self, url: str, path: str, query: str = "") -> URL:
        found = self._known.get((url, path))
        if found is None:
            found = self._known[url, path] = URL(url + path)
        return URL(f"{found}?{query}", encoded=True) if query else found

    async def _send(
        self,
        operation: Operation,
        address: StrOrURL,
        headers: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
    ) -> UpstreamAnswer:
        if self._session is None:
            raise RuntimeError("used before it was entered")
        timeout = aiohttp.ClientTimeout(
            total=max(0.001, deadline.remaining_s()), sock_connect=CONNECT_TIMEOUT_S
        )
        async with self._session.request(
            operation.method,
            address,
            headers=headers,
            data=body or None,
            timeout=timeout,
            allow_redirects=False,
        ) as response:
            told = response.headers
            queue_s = queueing.seconds_in(told.get(queueing.HEADER))
            if queue_s is not None:
                queueing.note(queue_s)
            body = await response.read()
            return UpstreamAnswer(response.status, body, told.get("Retry-After"), queue_s, told.get(AS_OF))


def _without_books(answer: UpstreamAnswer) -> bool:
    """Whether a ledger says that it has no database, and so did nothing."""
    if answer.status != 503:
        return False
    try:
        said = json.loads(answer.body)
        return bool(said["reason"] == "database" and said.get("outcome") == "none")
    except (ValueError, TypeError, KeyError):
        return False


def _outcome(operation: Operation, *, sent: bool) -> str:
    return "unknown" if operation.money and sent else "none"


def _watchful_socket(address: AddrInfoType) -> socket.socket:
    """Open a socket that notices a peer which vanished without a word."""
    family, kind, protocol, _, _ = address
    opened = socket.socket(family, kind, protocol)
    opened.setblocking(False)
    watch(opened)
    return opened
