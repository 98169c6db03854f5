"""The bulkhead: one dependency that hangs holds so many calls and no more; what others need is theirs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from stormbank.clock import Clock
from stormbank.flow.highwater import Highwater


class Bulkhead:
    """At most `most` calls in flight; None for no limit."""

    def __init__(self, most: int | None, *, clock: Clock = time.monotonic) -> None:
        self.most = most
        self.inflight = 0
        self._highwater = Highwater(most or 0, clock=clock)

    @property
    def full(self) -> bool:
        """Whether one more would be too many."""
        return self.most is not None and self.inflight >= self.most

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for one call; the caller has seen that it is not `full`."""
        self.inflight += 1
        self._highwater.admitted(self.inflight, self.most or 0)
        try:
            yield
        finally:
            self.inflight -= 1

    def highwater(self) -> int:
        """Return the most in flight in the last seconds."""
        return self._highwater.tightest().inflight
