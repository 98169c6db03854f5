"""What a container does after its start and before its stop (`lifecycle`): a program, a request, or a pause."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from stormlab.node import orders
from stormlab.node.home import Home
from stormlab.node.podspec import Container, Hook
from stormlab.node.probe import ask
from stormlab.wait import pause

_LONGEST_S = 3600.0


async def run(home: Home, container: Container, hook: Hook) -> str:
    """Run a hook until it is done, the container ends, or the pod's time is up; what went wrong, or nothing."""
    working = asyncio.create_task(_work(home, container, hook))
    try:
        while not working.done() and home.until() > time.monotonic() and _runs(home, container):
            await asyncio.wait({working}, timeout=min(0.25, max(0.0, home.until() - time.monotonic())))
        if working.done():
            return working.result()
        return "" if _runs(home, container) else "the container ended before it"
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


def _runs(home: Home, container: Container) -> bool:
    state = home.shim.states.get(container.name)
    return state is not None and state["finished_at"] is None and not home.shim.gone.is_set()


async def _work(home: Home, container: Container, hook: Hook) -> str:
    if hook.question is None:
        await pause(hook.pause_s)
        return ""

    async def execute(command: Sequence[str], timeout_s: float) -> tuple[int, str]:
        return await orders.run(home, container, command, timeout_s)

    return await ask(hook.question, home.sandbox.address, execute, timeout_s=_LONGEST_S)
