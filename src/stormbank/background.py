"""What a bank process does beside answering: loops that run as long as it serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager


@asynccontextmanager
async def beside(
    end: Callable[[], None], loops: Mapping[str, Coroutine[None, None, None]]
) -> AsyncIterator[None]:
    """Run `loops`, by their names, for as long as the body lasts; RuntimeError naming one that failed.

    A loop ends by itself only when it fails as nobody foresaw. Without it every answer would be wrong or a refusal for
    ever, from a process that looks alive: `end` is called, and whoever runs the process must see it end.
    """
    tasks = {name: asyncio.create_task(loop) for name, loop in loops.items()}
    for task in tasks.values():
        task.add_done_callback(lambda _: end())
    try:
        yield
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values())
        for name, task in tasks.items():
            if not task.cancelled() and (error := task.exception()) is not None:
                raise RuntimeError(f"{name} has failed") from error
