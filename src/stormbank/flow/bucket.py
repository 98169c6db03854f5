"""The limit of rate: so many requests of one operation a second, and a short burst."""

from __future__ import annotations

import time
from typing import Final

from stormbank.clock import Clock

BURST_S: Final = 0.5


class TokenBucket:
    """Rate limit of `rate_per_s` with room for `burst_s` seconds of it, and for one request at least."""

    def __init__(self, rate_per_s: float, *, burst_s: float = BURST_S, clock: Clock = time.monotonic) -> None:
        self._rate_per_s = rate_per_s
        self._room = max(1.0, rate_per_s * burst_s)
        self._clock = clock
        self._tokens = self._room
        self._filled_at_s = clock()

    def take(self) -> float:
        """Take one token; return 0.0, or the seconds until there will be one."""
        now_s = self._clock()
        self._tokens = min(self._room, self._tokens + (now_s - self._filled_at_s) * self._rate_per_s)
        self._filled_at_s = now_s
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._rate_per_s
