"""One question at a time to the ledgers of a cell, over a connection that is kept only while its answers are of use.

A name may stand for several ledgers, and a kept-alive connection stays with the one it was opened to. One that has lost
its database, or hangs on to a primary of yesterday, must not be asked again while another knows better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import aiohttp
from yarl import URL

from stormbank.problem import Unavailable

ANSWER_WITHIN_S: Final = 0.5
CONNECT_TIMEOUT_S: Final = 0.4


class Lookout:
    """Asks the ledgers at `urls` for `path`: the same one until it fails to please, then the next."""

    def __init__(self, urls: Sequence[str], path: str) -> None:
        self._addresses = tuple(URL(url + path) for url in urls)
        self._turn = 0
        self._session: aiohttp.ClientSession | None = None

    async def look(self, accept: Callable[[bytes], bool]) -> bool:
        """Ask one ledger; true when `accept` takes its answer. Unavailable when there was none in time."""
        if self._session is None:
            self._session = _session()
        accepted = False
        try:
            async with self._session.get(self._addresses[self._turn]) as response:
                accepted = accept(await response.read()) if response.status == 200 else False
        except (aiohttp.ClientError, TimeoutError):
            raise Unavailable("ledger") from None
        finally:
            if not accepted:
                self._turn = (self._turn + 1) % len(self._addresses)
                await self.close()
        return accepted

    async def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=1, happy_eyeballs_delay=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S, sock_connect=CONNECT_TIMEOUT_S),
        skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept"),
    )
