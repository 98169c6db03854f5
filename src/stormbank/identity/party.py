"""The way to one external party: so many calls at a time and so long for each, and no more.

A party outside the bank may be slow or dead for hours. Then its calls must cost nothing that others need: none waits in
a line, and what is asked beyond its share is refused at once.
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from stormbank.deadline import HEADER, Deadline
from stormbank.identity.metrics import PartyMetrics
from stormbank.problem import DeadlineExceeded, Unavailable

CONNECT_TIMEOUT_S: Final = 0.4
KEEPALIVE_S: Final = 30.0
BACK_S: Final = 0.05
"""Kept of the caller's time, to say in time that there was no answer."""


class Party:
    """Calls `name` at `url`, None where there is none: at most `calls` at once, at most `timeout_s` each.

    None of either: no bound but the caller's deadline. Every failure is Unavailable with the name as its reason.
    """

    def __init__(
        self, name: str, url: str | None, counts: PartyMetrics, *, calls: int | None, timeout_s: float | None
    ) -> None:
        self.name = name
        self.calls = calls
        self.under_way = 0
        self._url = url
        self._timeout_s = timeout_s
        self._counts = counts
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # The bulkhead counts; a second one in the connector would be a line to wait in.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept"),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, path: str, fields: dict[str, Any], deadline: Deadline, cell: str) -> dict[str, Any]:
        """Post `fields` for a customer of `cell` and return the answer's.

        Unavailable, or DeadlineExceeded before anything was sent.
        """
        if self.calls is not None and self.under_way >= self.calls:
            self._counts.called(self.name, cell, "shed")
            raise Unavailable(self.name)
        left_s = deadline.remaining_s() - BACK_S
        if left_s <= 0:
            raise DeadlineExceeded(self.name)
        if self._timeout_s is not None:
            left_s = min(left_s, self._timeout_s)
        self.under_way += 1
        try:
            answer = await self._posted(path, fields, left_s)
        except TimeoutError:
            self._counts.called(self.name, cell, "late")
            raise Unavailable(self.name) from None
        except (aiohttp.ClientError, ValueError):
            self._counts.called(self.name, cell, "failed")
            raise Unavailable(self.name) from None
        finally:
            self.under_way -= 1
        self._counts.called(self.name, cell, "good")
        return answer

    async def _posted(self, path: str, fields: dict[str, Any], within_s: float) -> dict[str, Any]:
        if self._session is None:
            raise RuntimeError("used before it was entered")
        if self._url is None:
            raise ValueError(f"{self.name} has no address")
        timeout = aiohttp.ClientTimeout(total=within_s, sock_connect=CONNECT_TIMEOUT_S)
        headers = {HEADER: str(int(within_s * 1000)), "Content-Type": "application/json"}
        async with self._session.post(
            self._url + path,
            data=json.dumps(fields).encode(),
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
        ) as response:
            body = await response.read()
            if not 200 <= response.status < 300:
                raise ValueError(f"{self.name} answers {response.status}")
        found = json.loads(body)
        if not isinstance(found, dict):
            raise ValueError(f"{self.name} answers no object")
        return found
