"""The way to a service: kept-alive connections, and another of its pods when one breaks.

A broken connection is retried at once: every operation is idempotent, money by its key. A slow answer is
never retried; that would multiply load on a system that is already behind. For the same reason retries have a budget.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

import aiohttp
from aiohttp.connector import AddrInfoType
from aiohttp.typedefs import StrOrURL
from yarl import URL

from stormbank import queueing
from stormbank.deadline import HEADER, Deadline
from stormbank.operations import OPERATIONS, Operation
from stormbank.problem import DeadlineExceeded, Unavailable
from stormbank.wait import pause

# Each try comes after so many seconds. With two pods in a zone, several new connections that all meet the
# dead one are rare, and by the last one its endpoint is gone.
BACKOFF_S: Final = (0.0, 0.0, 0.02, 0.1, 0.3)
CONNECT_TIMEOUT_S: Final = 0.4
AVOID_S: Final = 1.0
KEEPALIVE_S: Final = 30.0
# Sent and not acknowledged by the other kernel for this long: the pod is gone, however silently.
UNACKNOWLEDGED_MS: Final = 1000


@dataclass(frozen=True)
class UpstreamAnswer:
    """What a service answered, unread. `queue_s` is for how long it says that the request waited, if it does."""

    status: int
    body: bytes
    retry_after: str | None
    queue_s: float | None = None


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
    """

    def __init__(self, name: str, urls: Sequence[str], retries: Retries | None = None) -> None:
        self._name = name
        self._retries = retries or _AsManyAsNeeded()
        self._addresses: dict[str, tuple[StrOrURL, ...]] = {
            each.name: tuple(URL(url + each.path) for url in urls) for each in OPERATIONS
        }
        self._bases = tuple(URL(url) for url in urls)
        self._next = 0
        self._avoid_until_s = [0.0] * len(urls)
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
        self._retries.asked()
        for number, backoff_s in enumerate(BACKOFF_S):
            if number and not self._retries.take():
                raise Unavailable(
                    "retry_budget", outcome=_outcome(operation, sent=sent), dependency=self._name
                )
            if backoff_s:
                await pause(backoff_s)
            budget_ms = deadline.next_hop_ms()
            if budget_ms <= 0:
                raise DeadlineExceeded(self._name, outcome=_outcome(operation, sent=sent))
            chosen = self._choose()
            address = self._addresses[operation.name][chosen]
            if query:
                address = URL(f"{address}?{query}", encoded=True)
            try:
                passed_on = {**headers, HEADER: str(budget_ms)}
                answer = await self._send(operation, address, passed_on, body, deadline)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                self._avoid_until_s[chosen] = time.monotonic() + AVOID_S
                continue
            except TimeoutError:
                raise DeadlineExceeded(self._name, outcome=_outcome(operation, sent=True)) from None
            except aiohttp.ClientError:
                sent = True
                continue
            if answer.status >= 400 and _outcome(operation, sent=sent) == "unknown":
                # Another one's refusal does not say what became of the try that was cut off.
                break
            return answer
        raise Unavailable(self._name, outcome=_outcome(operation, sent=sent))

    async def serving(self) -> bool:
        """Whether one answers that business can be done; asked now, in turn, within a short time."""
        if self._session is None:
            raise RuntimeError("used before it was entered")
        timeout = aiohttp.ClientTimeout(total=CONNECT_TIMEOUT_S)
        address = self._bases[self._choose()] / "servez"
        try:
            async with self._session.get(address, timeout=timeout) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _choose(self) -> int:
        """Return the next address in turn, over one that just could not be reached if there is another."""
        count = len(self._avoid_until_s)
        now_s = time.monotonic()
        for _ in range(count):
            self._next = (self._next + 1) % count
            if self._avoid_until_s[self._next] <= now_s:
                return self._next
        # All of them: in turn again.
        self._next = (self._next + 1) % count
        return self._next

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
            queue_s = queueing.seconds_in(response.headers.get(queueing.HEADER))
            if queue_s is not None:
                queueing.note(queue_s)
            body = await response.read()
            return UpstreamAnswer(response.status, body, response.headers.get("Retry-After"), queue_s)


def _outcome(operation: Operation, *, sent: bool) -> str:
    return "unknown" if operation.money and sent else "none"


def _watchful_socket(address: AddrInfoType) -> socket.socket:
    """Open a socket that notices a peer which vanished without a word."""
    family, kind, protocol, _, _ = address
    opened = socket.socket(family, kind, protocol)
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
    return opened
