"""Waiting: for a condition with a deadline, and the ticks of periodic loops. The only place that sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

from stormlab.errors import LabError

T = TypeVar("T")


class WaitTimeoutError(LabError):
    """A condition did not come true before its deadline."""


def until(condition: Callable[[], T], what: str, timeout_s: float, poll_s: float = 0.02) -> T:
    """Return the first truthy value of `condition`, asked every `poll_s`.

    Raises WaitTimeoutError naming `what` after `timeout_s` (the condition is asked once more at the end).
    """
    deadline = time.monotonic() + timeout_s
    while True:
        last_chance = time.monotonic() >= deadline
        value = condition()
        if value:
            return value
        if last_chance:
            raise WaitTimeoutError(f"{what}: not so within {timeout_s:g} s")
        time.sleep(poll_s)


async def until_async(
    condition: Callable[[], Awaitable[T]], what: str, timeout_s: float, poll_s: float = 0.05
) -> T:
    """Like `until`, for a condition that has to be awaited."""
    deadline = time.monotonic() + timeout_s
    while True:
        last_chance = time.monotonic() >= deadline
        value = await condition()
        if value:
            return value
        if last_chance:
            raise WaitTimeoutError(f"{what}: not so within {timeout_s:g} s")
        await asyncio.sleep(poll_s)


async def pause(seconds: float) -> None:
    """Let `seconds` pass: the gap between two attempts or two rounds of a daemon's loop."""
    await asyncio.sleep(seconds)


async def ticks(period_s: float) -> AsyncIterator[None]:
    """Yield at once and then every `period_s` on a fixed grid; ticks that were missed are skipped."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        yield
        now = loop.time()
        due = max(due + period_s, now - (now - due) % period_s)
        await asyncio.sleep(max(0.0, due - loop.time()))


def every(period_s: float) -> Iterator[None]:
    """Yield at once and then every `period_s`, or as soon as the caller comes back when that is later."""
    due = time.monotonic()
    while True:
        yield
        due = max(due + period_s, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


async def event_within(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for `event` at most `timeout_s`; whether it is set."""
    if not event.is_set():
        try:
            await asyncio.wait_for(event.wait(), timeout_s)
        except TimeoutError:
            return False
    return True
