"""The limit on requests in flight, found from how long they wait where they go.

By Little's law the seconds of waiting that the answers of one second tell of are how many of those in flight wait at a
time. The limit moves so that about `queued` do: then the dependency is never idle for want of requests, and a longer
queue would only make everybody later. It rises by half of what is missing and falls by half of what is too many.

A step is made no more often than an answer takes: until then the answers tell of requests that the limit before let in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from stormbank.clock import Clock

STEP_S: Final = 0.1
LONGEST_STEP_S: Final = 1.0
FEWEST: Final = 5
BEGIN: Final = 4
GAIN: Final = 0.5
"""Of the difference. More makes the limit swing, and the swings cost the most important business its room."""
SHRINK: Final = 0.6
"""The most that one step takes away, whatever was measured: the next one will know better."""


@dataclass(frozen=True)
class AdaptiveRules:
    """`low` and `high` bound the limit; `queued` is how many of those in flight shall wait."""

    low: int
    high: int
    queued: float


class AdaptiveLimit:
    """Begins at BEGIN times `queued`: enough for those who come first, and too few to bury anybody."""

    def __init__(self, rules: AdaptiveRules, *, clock: Clock = time.monotonic) -> None:
        self._rules = rules
        self._clock = clock
        self._limit = min(float(rules.high), max(float(rules.low), BEGIN * rules.queued))
        self.value = int(self._limit)
        self._begin(clock())

    def _begin(self, now_s: float) -> None:
        self._began_s = now_s
        self._took_s = self._queue_s = 0.0
        self._answers = 0
        self._wanted = False

    def asked(self, inflight: int, *, refused: bool) -> None:
        """Hear that a request met `inflight` others, and whether the limit refused it.

        A limit that nobody comes near says nothing: to raise it for that would leave it at its highest just when a
        surge begins.
        """
        self._wanted = self._wanted or refused or inflight * 2 >= self._limit

    def answered(self, took_s: float, queue_s: float) -> None:
        """Take in one answer: `queue_s` of `took_s` it waited."""
        self._answers += 1
        self._took_s += took_s
        self._queue_s += min(queue_s, took_s)
        if self._answers < FEWEST:
            return
        now_s = self._clock()
        lasted_s = now_s - self._began_s
        if lasted_s >= min(LONGEST_STEP_S, max(STEP_S, self._took_s / self._answers)):
            self._step(self._queue_s / lasted_s)
            self._begin(now_s)

    def _step(self, queued: float) -> None:
        rules = self._rules
        wanted = max(self._limit * SHRINK, self._limit + (rules.queued - queued) * GAIN)
        if wanted > self._limit and not self._wanted:
            return
        self._limit = min(float(rules.high), max(float(rules.low), wanted))
        self.value = int(self._limit)
