"""How long a request would wait where it goes, and whom to refuse before it does.

Waiting is the sign of overload, and not the time that an answer takes: that has work in it, of which some operations
need more than others. A refusal now is worth more to a phone than an answer that comes after it has given up.
"""

from __future__ import annotations

import math
import time
from typing import Final

from stormbank.clock import Clock

HALF_LIFE_S: Final = 0.25
"""For how long an answer counts. With nobody let in there are no answers, and what is believed fades as quickly."""
IDLE_S: Final = 0.02
"""Below this nobody speaks of waiting."""


class Waiting:
    """The mean waiting of late, in seconds, and how many were in flight then: with more, the next one waits longer."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._sum_s = 0.0
        self._weight = 0.0
        self._inflight = 0.0
        self._at_s = clock()
        self._owed = 0.0

    def observe(self, queue_s: float, inflight: int) -> None:
        """Take in one answer that waited for `queue_s`; with it there were `inflight` in flight."""
        now_s = self._clock()
        faded = _fade(now_s - self._at_s)
        self._sum_s = self._sum_s * faded + queue_s
        self._inflight = self._inflight * faded + inflight
        self._weight = self._weight * faded + 1.0
        self._at_s = now_s

    def estimate_s(self, inflight: int) -> float:
        """Return how long a request that is let in now, to `inflight` others, is likely to wait.

        What the answers tell is of the past by as much as they took. A queue that has grown since is not in it.
        """
        if not self._sum_s:
            return 0.0
        mean_s = self._sum_s / self._weight * _fade(self._clock() - self._at_s)
        return mean_s * (inflight + 1) * self._weight / max(self._weight, self._inflight)

    def refuses(self, estimate_s: float, target_s: float) -> bool:
        """Whether the next request is one to refuse, when it would wait for `estimate_s`.

        None at the target, half of them at one and a half times of it, all from twice: refusing all or none would
        make the queue swing between empty and full. Which ones is not left to chance.
        """
        over = estimate_s / target_s - 1.0
        if over <= 0.0:
            return False
        self._owed += min(1.0, over)
        if self._owed < 1.0:
            return False
        self._owed -= 1.0
        return True


def _fade(age_s: float) -> float:
    return math.exp2(-age_s / HALF_LIFE_S)
