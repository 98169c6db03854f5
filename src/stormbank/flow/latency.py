"""How long a request takes when it waits for nobody: measured again and again, since that changes.

What waits cannot be told from what works by one duration alone. The shortest of late says it, but for two traps. A
dependency that fails over answers nobody quickly for a while: the shortest of such a time is no time of work, and to
believe it would let everybody in just when the survivor is weakest. And what was measured long ago may never be
reached again. So the minimum is that of the last windows; it falls at once, and rises by a little with each window.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from stormbank.clock import Clock

WINDOW_S: Final = 5.0
WINDOWS: Final = 6
RISE: Final = 1.25
"""From one window to the next. A stall shorter than all windows moves nothing; twice as long is known in a minute."""
FEWEST: Final = 5
"""Samples below which a window says nothing, and changes nothing."""


class MinimumLatency:
    """The shortest duration of successful calls of one kind, in seconds; None before the first."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self.value_s: float | None = None
        self._began_s = clock()
        self._shortest_s = float("inf")
        self._samples = 0
        self._past: deque[float] = deque(maxlen=WINDOWS)

    def observe(self, took_s: float) -> None:
        """Take in one successful call that took `took_s` without what it is known to have waited."""
        now_s = self._clock()
        if now_s - self._began_s >= WINDOW_S:
            self._close(now_s)
        self._samples += 1
        self._shortest_s = min(self._shortest_s, took_s)
        if self.value_s is None or took_s < self.value_s:
            self.value_s = took_s

    def _close(self, now_s: float) -> None:
        if self._samples >= FEWEST and self.value_s is not None:
            self._past.append(self._shortest_s)
            self.value_s = max(self.value_s, min(*self._past, self.value_s * RISE))
        self._began_s, self._shortest_s, self._samples = now_s, float("inf"), 0
