"""Waiting for planned times inside the loop, and the one exception that ends what is in flight."""

from __future__ import annotations

import time
import traceback

import gevent
from gevent import GreenletExit
from gevent.event import Event

from stormdrill.units import NS_PER_S


class PhaseEnd(GreenletExit):
    """The load is over: thrown into a greenlet that still waits; HTTP libraries let this kind pass."""


class Stop:
    """The end of the load: `at_ns` is 0 until it comes; what was due later is no longer due.

    `why` says what broke; it is empty for an ordinary end.
    """

    def __init__(self) -> None:
        self.at_ns = 0
        self.why = ""
        self._event = Event()

    def now(self) -> None:
        """End the load; the first call counts."""
        self.at_ns = self.at_ns or time.monotonic_ns()
        self._event.set()

    def broken(self, error: BaseException) -> None:
        """End the load because a part of it raised; the first error is kept."""
        self.why = self.why or f"{type(error).__name__}: {error}"
        traceback.print_exception(error)
        self.now()

    def __bool__(self) -> bool:
        return self.at_ns > 0

    def until(self, due_ns: int) -> bool:
        """Wait for `due_ns`. False when the load ended first."""
        while not self.at_ns:
            left_ns = due_ns - time.monotonic_ns()
            if left_ns <= 0:
                return True
            self._event.wait(left_ns / NS_PER_S)
        return due_ns <= self.at_ns

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end, at most `timeout_s`; whether it has come."""
        return bool(self._event.wait(timeout_s))


def elapse(seconds: float) -> None:
    """Let the loop turn for a while (periodic work of the generator)."""
    gevent.sleep(seconds)
