"""Worker slots: the declared capacity of a process.

A request occupies one slot for its declared service time. Capacity is therefore slots / service time on any
machine, and the processor stays free: the slot sleeps. Waiting is first come, first served.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from stormbank.deadline import Deadline
from stormbank.problem import DeadlineExceeded
from stormbank.queueing import note
from stormbank.wait import service_time


class Slots:
    """`count` workers. `observe_wait` is told each request's time in the queue, in seconds."""

    def __init__(self, count: int, observe_wait: Callable[[float], None]) -> None:
        self.count = count
        self.busy = 0
        self._free = asyncio.Semaphore(count)
        self._observe_wait = observe_wait

    async def work(self, service_s: float, deadline: Deadline) -> None:
        """Occupy a slot for `service_s`; DeadlineExceeded, without work, when that cannot end in time."""
        async with self.occupied(service_s, deadline):
            pass

    @asynccontextmanager
    async def occupied(self, service_s: float, deadline: Deadline) -> AsyncIterator[None]:
        """Occupy a slot for `service_s`, and then for as long as the body lasts; DeadlineExceeded as `work`."""
        queued_at_s = time.monotonic()
        if self._free.locked():
            try:
                async with asyncio.timeout(max(0.0, deadline.remaining_s() - service_s)):
                    await self._free.acquire()
            except TimeoutError:
                note(time.monotonic() - queued_at_s)
                raise DeadlineExceeded("queue") from None
        else:
            await self._free.acquire()
        self.busy += 1
        try:
            waited_s = time.monotonic() - queued_at_s
            self._observe_wait(waited_s)
            note(waited_s)
            if deadline.remaining_s() < service_s:
                raise DeadlineExceeded("queue")
            await service_time(service_s)
            yield
        finally:
            self.busy -= 1
            self._free.release()
