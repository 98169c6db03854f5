"""Flow control at the gateway: who is let in when not everybody can be.

Two independent limits. Concurrency: the requests in flight never exceed `limit`, and a tier is let in only
while all in flight together stay below its share of it, so the least important tiers are given up first and
the rest of the room is kept for the most important one. Rate: a token bucket for each tier.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from stormbank.problem import Shed

Clock = Callable[[], float]
HIGHWATER_S: Final = 5.0
"""How long a peak is shown: no reader takes it away from another, and a scrape may come a few seconds late."""


def tier_class(tier: str, known: Collection[str]) -> str:
    """Return the entry of `known` that speaks for `tier`: itself (A1), else its letter (A)."""
    return tier if tier in known else tier[0]


def thresholds(limit: int, order: Sequence[str], shares: Mapping[str, float]) -> dict[str, int]:
    """Give each tier its number of requests in flight: the largest share to the first of `order`."""
    by_rank = sorted(shares.values(), reverse=True)
    return {tier: max(1, int(limit * share)) for tier, share in zip(order, by_rank, strict=True)}


class TokenBucket:
    """Rate limit of `rate_per_s` with room for `burst_s` seconds of it."""

    def __init__(self, rate_per_s: float, *, burst_s: float = 0.5, clock: Clock = time.monotonic) -> None:
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


class Admission:
    """Counts what is in flight and refuses what is too much. `enter` and `leave` come in pairs."""

    def __init__(
        self,
        limit: int,
        order: Sequence[str],
        shares: Mapping[str, float],
        rates_per_s: Mapping[str, float],
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self.limit = limit
        self.thresholds = thresholds(limit, order, shares)
        self._buckets = {tier: TokenBucket(rate, clock=clock) for tier, rate in rates_per_s.items()}
        self.inflight = 0
        self._clock = clock
        # When, and how many then: of the peaks of the last seconds only those that a later one did not reach.
        self._peaks: deque[tuple[float, int]] = deque()

    def enter(self, tier: str) -> None:
        """Let one request of `tier` in, or raise Shed saying why and when to come back."""
        if self.inflight >= self.thresholds[tier_class(tier, self.thresholds)]:
            raise Shed("overload", retry_after_s=1, tier=tier)
        # Only after the concurrency limit: a request shed for overload costs its tier no token.
        wait_s = self._buckets[tier_class(tier, self._buckets)].take()
        if wait_s > 0.0:
            raise Shed("rate", retry_after_s=max(1, math.ceil(wait_s)), tier=tier)
        self.inflight += 1
        while self._peaks and self._peaks[-1][1] <= self.inflight:
            self._peaks.pop()
        self._peaks.append((self._clock(), self.inflight))

    def leave(self) -> None:
        """One admitted request is done."""
        self.inflight -= 1

    def highwater(self) -> int:
        """Return the most in flight at any admission of the last HIGHWATER_S seconds, and at least now."""
        since_s = self._clock() - HIGHWATER_S
        while self._peaks and self._peaks[0][0] < since_s:
            self._peaks.popleft()
        return self._peaks[0][1] if self._peaks else self.inflight
