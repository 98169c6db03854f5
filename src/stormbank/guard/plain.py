"""Ways to the ledgers with nothing in the way, for services behind the gateway's guards: counted, and that is all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

from stormbank.cells import ledger_of
from stormbank.guard.guarded import Guarded, GuardRules
from stormbank.guard.metrics import GuardMetrics
from stormbank.upstream import Retries, Upstream

NOTHING: Final = GuardRules(bulkhead=None, breaker=None, retries=None)


async def ledgers(
    stack: AsyncExitStack, urls: Mapping[str, Sequence[str]], metrics: GuardMetrics
) -> tuple[dict[str, Guarded], dict[str, Upstream]]:
    """Open the ways to the ledgers of each cell; they close with `stack`. Both are by cell."""
    ways: dict[str, Guarded] = {}
    upstreams: dict[str, Upstream] = {}
    for cell, some in urls.items():
        name = ledger_of(cell)
        ways[cell] = Guarded(name, NOTHING, _way(cell, some, upstreams), metrics.counter(name, (cell,)))
        await stack.enter_async_context(upstreams[cell])
        metrics.watch(ways[cell])
    return ways, upstreams


def _way(cell: str, urls: Sequence[str], upstreams: dict[str, Upstream]) -> Callable[[Retries], Upstream]:
    def open_with(retries: Retries) -> Upstream:
        upstreams[cell] = Upstream("ledger", urls, retries)
        return upstreams[cell]

    return open_with
