"""Ctrl-C, SIGTERM and a terminal that went away: heard at once while waiting, else at the next such place.

Between two places nothing is cut in half: an event is written whole, a step is settled or it is not.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Leave(KeyboardInterrupt):
    """Somebody wants the run to end now; it can be resumed."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Attention:
    """To be used in the main thread."""

    def __init__(self) -> None:
        self._open = False
        self._pending: str | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Inside the block the signals come here."""
        before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Inside the block a signal raises Leave; so does one that came before."""
        outer, self._open = self._open, True
        try:
            if self._pending is not None:
                raise Leave(self._pending)
            yield
        finally:
            self._open = outer and self._pending is None

    def check(self) -> None:
        """A place where it may end: Leave when a signal came before."""
        if self._pending is not None:
            raise Leave(self._pending)

    def _handle(self, number: int, _: FrameType | None) -> None:
        first, self._pending = self._pending is None, self._pending or signal.Signals(number).name
        if self._open and first:
            self._open = False
            raise Leave(self._pending)
