"""The one switch that ends a run early. The first reason is kept; later ones are ignored.

An abort (guard, signal, user) makes the run `aborted`. A cut (by "drill") ends it early because going on
would prove nothing, e.g. the load generator died: nothing more is injected, what was recorded is judged.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from stormdrill import wait
from stormdrill.errors import Aborted

T = TypeVar("T")
PEOPLE = ("signal", "user")
ABORTERS = ("guard", *PEOPLE)
_POLL_S = 0.1


@dataclass(frozen=True)
class Cause:
    """Why the run ends early, and who says so: `guard`, `signal`, `user` or `drill`.

    `objective`: the guard's condition was an objective of the client, so that breaking it fails the run.
    """

    reason: str
    by: str
    objective: bool = False

    @property
    def aborted(self) -> bool:
        """Whether this ending is an abort; otherwise it is a cut."""
        return self.by in ABORTERS


class Stop:
    """Set from any thread or signal handler, observed by everything that waits.

    Several drills in a row have one each, `above` which stands the stop of them all: what a person wants
    ends every drill, a guard or a cut only its own.
    It is polled: an Event's lock could be held by the very thread that a signal handler interrupts.
    """

    def __init__(self, above: Stop | None = None) -> None:
        self._above = above
        self._causes: list[Cause] = []

    def request(self, reason: str, by: str, *, objective: bool = False) -> None:
        """Ask for the end. Takes no lock, so a signal handler may call it."""
        if self.cause:
            return
        if self._above and by in PEOPLE:
            self._above.request(reason, by)
        self._causes.append(Cause(reason, by, objective))

    @property
    def cause(self) -> Cause | None:
        """The first reason given, or None while the run goes on."""
        if self._causes:
            return self._causes[0]
        return self._above.cause if self._above else None

    def check(self) -> None:
        """Raise Aborted when the run has to end."""
        if cause := self.cause:
            raise Aborted(cause.reason)

    def until(
        self, condition: Callable[[], T | None], *, deadline_s: float, what: str, poll_s: float = _POLL_S
    ) -> T:
        """`wait.until` that also ends, by Aborted, as soon as the run has to."""

        def tried() -> T | None:
            self.check()
            return condition()

        return wait.until(tried, deadline_s=deadline_s, what=what, poll_s=poll_s)

    def during(self, call: Callable[[], T]) -> T:
        """The result of a call that cannot be interrupted; Aborted as soon as the run has to end.

        The call then goes on in a thread of its own until it ends by itself, and nobody hears of it.
        """
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(call())
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                result.set_exception(error)

        self.check()
        threading.Thread(target=run, name="interruptible", daemon=True).start()
        while not result.done():
            concurrent.futures.wait([result], timeout=_POLL_S)
            if not result.done():
                self.check()
        return result.result()

    def pause(self, seconds: float) -> None:
        """Let a phase of fixed length pass; Aborted as soon as the run has to end."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            wait.pause(min(_POLL_S, left))
        self.check()
