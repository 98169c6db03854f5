"""The only place that waits: the rhythm of the loops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def pause(ended: threading.Event, duration_s: float) -> None:
    """Wait out one turn of a loop, or until the process is told to end."""
    ended.wait(duration_s)


def until(true: Callable[[], bool], timeout_s: float, every_s: float = 0.05) -> bool:
    """Look again and again whether `true` holds; false when it does not within the time."""
    deadline_s = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(every_s)
    return True
