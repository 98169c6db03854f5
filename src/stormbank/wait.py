"""The only place that sleeps: declared service times, and the rhythm of background loops."""

from __future__ import annotations

import asyncio


async def service_time(duration_s: float) -> None:
    """Stand for the work of one request: occupies its worker slot for `duration_s`, not the processor."""
    await asyncio.sleep(duration_s)


async def pause(duration_s: float) -> None:
    """Wait out one turn of a background loop or one back-off."""
    await asyncio.sleep(duration_s)


async def until_set(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for `event` at most `timeout_s`; true when it is set."""
    if event.is_set():
        return True
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True
