"""Noticing that this process stood still: frozen, swapped out, or its machine moved.

What waited for it meanwhile looks as if it came just now. A deadline counts from when a request is read, and the map
may be fresh again before the first of them is: neither says that the phone behind it has long gone elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from stormbank.wait import pause

TICK_S: Final = 0.25
STILL_S: Final = 2.0
"""A beat that is late by this much: longer than a busy machine lets a process wait."""
AFTERWARDS_S: Final = 0.5
"""What waited in the sockets has been read by then."""


class Pulse:
    """Beats while the process runs."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beat_s = clock()
        self._woke_s = -AFTERWARDS_S

    def just_woke(self) -> bool:
        """Whether the process stood still for STILL_S and has run for less than AFTERWARDS_S since."""
        now_s = self._clock()
        if now_s - self._beat_s > TICK_S + STILL_S:
            # Asked before the first beat after it.
            self._woke_s = self._beat_s = now_s
        return now_s - self._woke_s < AFTERWARDS_S

    def beat(self) -> None:
        """Say that the process runs."""
        self.just_woke()
        self._beat_s = self._clock()

    async def keep(self) -> None:
        """Beat; runs until cancelled."""
        while True:
            self.beat()
            await pause(TICK_S)
