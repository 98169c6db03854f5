"""How full it was at the tightest admission of the last seconds, and the limit that applied to it.

A limit that moves cannot be held against a number of another moment: what was let in under a higher one may still be
in flight when it has fallen, and nothing is wrong with that. So both are kept as they were at one admission, the one
that left the least room: the difference is never above zero unless somebody was let in above the limit.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from stormbank.clock import Clock

HIGHWATER_S: Final = 5.0
"""How long it is shown: no reader takes it away from another, and a scrape may come a few seconds late."""


@dataclass(frozen=True, order=True)
class Tightest:
    """`over` is `inflight - limit`: they are ordered by it, and among equals by how many there were."""

    over: int
    inflight: int

    @property
    def limit(self) -> int:
        """The limit that applied."""
        return self.inflight - self.over


class Highwater:
    """Remembers admissions for HIGHWATER_S; the last one for ever."""

    def __init__(self, limit: int, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._last = Tightest(-limit, 0)
        # Of the admissions of the last seconds only those that a later one was not as tight as.
        self._peaks: deque[tuple[float, Tightest]] = deque()

    def admitted(self, inflight: int, limit: int) -> None:
        """One was let in as the `inflight`-th, under `limit`."""
        self._last = Tightest(inflight - limit, inflight)
        while self._peaks and self._peaks[-1][1] <= self._last:
            self._peaks.pop()
        self._peaks.append((self._clock(), self._last))

    def tightest(self) -> Tightest:
        """Return the tightest admission of the last HIGHWATER_S seconds; without any, the last there was."""
        since_s = self._clock() - HIGHWATER_S
        while self._peaks and self._peaks[0][0] < since_s:
            self._peaks.popleft()
        return self._peaks[0][1] if self._peaks else self._last
