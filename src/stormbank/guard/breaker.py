"""The circuit breaker: a dependency that does not answer, or answers nobody in time, is not asked for a moment.

Closed, everybody may ask. Open, nobody may, for a pause. Then it is half open: one asks now and then, without waiting
for the one before, since a question to the dead may hang for as long as its caller has time; the first good answer
closes it, and a bad one opens it again. So it costs a dependency that has come back one pause and one turn at most.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from stormbank.clock import Clock
from stormbank.guard.window import Window

_CALLS, _FAILED, _SLOW = range(3)
TRIAL_S: Final = 0.25
"""Half open, one is let through in so many seconds."""


class State(IntEnum):
    """As the metric tells it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True)
class BreakerRules:
    """Opens when, of at least `calls` in `window_s`, the share `errors` failed or the share `slow` took `slow_s`."""

    errors: float
    slow: float
    slow_s: float
    window_s: float
    calls: float
    pause_s: float


class Breaker:
    """`may_ask` before each call, `ended` after it."""

    def __init__(self, rules: BreakerRules, *, clock: Clock = time.monotonic) -> None:
        self._rules = rules
        self._clock = clock
        self._counts = Window(rules.window_s, 3, clock=clock)
        self._opened_s: float | None = None
        self._trial_s = float("-inf")

    @property
    def state(self) -> State:
        """What it is now; time alone makes half open of open."""
        if self._opened_s is None:
            return State.CLOSED
        paused = self._clock() - self._opened_s < self._rules.pause_s
        return State.OPEN if paused else State.HALF_OPEN

    def may_ask(self) -> bool:
        """Whether one more call may be made."""
        if self._opened_s is None:
            return True
        if self.state is State.OPEN or self._clock() - self._trial_s < TRIAL_S:
            return False
        self._trial_s = self._clock()
        return True

    def ended(self, *, failed: bool, took_s: float, proof: bool = True) -> None:
        """Take in how one call ended, and after how many seconds.

        Without `proof` it says nothing unless it was slow: somebody had no time left.
        """
        slow = took_s >= self._rules.slow_s
        if not (proof or slow):
            return
        if self._opened_s is not None:
            # Whatever was asked before it opened and ends now says as much as a trial: it ends now.
            self._judge_trial(bad=failed or slow)
            return
        self._counts.add(_CALLS)
        if failed:
            self._counts.add(_FAILED)
        if slow:
            self._counts.add(_SLOW)
        if (failed or slow) and self._too_many():
            self._opened_s = self._clock()

    def _judge_trial(self, *, bad: bool) -> None:
        if bad and self.state is State.HALF_OPEN:
            self._opened_s = self._clock()
        elif not bad:
            self._opened_s = None
            self._counts.clear()

    def _too_many(self) -> bool:
        calls = self._counts.total(_CALLS)
        if calls < self._rules.calls:
            return False
        failed, slow = self._counts.total(_FAILED), self._counts.total(_SLOW)
        return failed >= calls * self._rules.errors or slow >= calls * self._rules.slow
