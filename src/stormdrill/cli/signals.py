"""Ctrl-C and SIGTERM: not exceptions in the middle of anything, but a request to stop."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from stormdrill.drill.stop import Stop


@contextmanager
def stopping(stop: Stop) -> Iterator[None]:
    """Inside the block SIGINT and SIGTERM (and SIGHUP: the terminal went away) ask `stop` for the end."""

    def handle(number: int, _: FrameType | None) -> None:
        name = signal.Signals(number).name
        if stop.cause is None:
            sys.stderr.write(f"\n{name}: stopping; what was recorded will be judged\n")
        stop.request(f"stopped by {name}", "signal")

    before = {
        number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
