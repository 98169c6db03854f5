"""Ctrl-C and SIGTERM: not exceptions in the middle of anything, but a request to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from stormdrill.drill.stop import Stop

_STDERR = 2


@contextmanager
def stopping(stop: Stop) -> Iterator[None]:
    """Inside the block SIGINT and SIGTERM (and SIGHUP: the terminal went away) ask `stop` for the end."""

    def handle(number: int, _: FrameType | None) -> None:
        name = signal.Signals(number).name
        first = stop.cause is None
        stop.request(f"stopped by {name}", "signal")
        if first:  # not by sys.stderr: the thread this interrupts may be writing there
            with suppress(OSError):
                os.write(_STDERR, f"\n{name}: stopping; what was recorded will be judged\n".encode())

    before = {
        number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
