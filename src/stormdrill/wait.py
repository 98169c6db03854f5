"""Deadline and poll: the only place of the harness that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from stormdrill.errors import DeadlineError

T = TypeVar("T")


def pause(seconds: float) -> None:
    """Let planned time pass (a phase of fixed length); never used to hope for a condition."""
    time.sleep(max(0.0, seconds))


def until(condition: Callable[[], T | None], *, deadline_s: float, what: str, poll_s: float = 0.1) -> T:
    """Poll `condition` until it returns something true, and return that.

    Raises DeadlineError naming `what` after `deadline_s` seconds. The condition is tried once more after the
    deadline so that a slow poll cannot miss the last change. Exceptions of the condition pass through.
    """
    end = time.monotonic() + deadline_s
    while True:
        late = time.monotonic() >= end
        if value := condition():
            return value
        if late:
            raise DeadlineError(f"{what}: not within {deadline_s:g} s")
        time.sleep(min(poll_s, max(0.0, end - time.monotonic())))


class Patience:
    """How long there is to wait: `limit_s` from now, but `hurried_s` from when `hurry()` is first seen true."""

    def __init__(self, limit_s: float, hurry: Callable[[], bool], hurried_s: float) -> None:
        self._end = time.monotonic() + limit_s
        self._hurry = hurry
        self._hurried_s: float | None = hurried_s

    @property
    def left_s(self) -> float:
        """Seconds left, below 0 once it is over. To be asked often: hurry is seen here only."""
        now = time.monotonic()
        if self._hurried_s is not None and self._hurry():
            self._end = min(self._end, now + self._hurried_s)
            self._hurried_s = None
        return self._end - now

    def over(self) -> bool:
        """Whether nothing is left."""
        return self.left_s <= 0
