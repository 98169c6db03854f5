"""The ways to the ledgers of every cell, each behind a guard of its own: what hangs takes nothing from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from stormbank.cells import ledger_of
from stormbank.guard.guarded import Guarded, GuardRules
from stormbank.guard.metrics import GuardMetrics
from stormbank.upstream import Retries, Upstream


class CellWays:
    """`guarded` is asked, by cell; `upstreams` are the connections beneath."""

    def __init__(self) -> None:
        self.guarded: dict[str, Guarded] = {}
        self.upstreams: dict[str, Upstream] = {}


async def open_ways(
    stack: AsyncExitStack,
    ledgers: Mapping[str, Sequence[str]],
    rules: GuardRules,
    metrics: GuardMetrics,
) -> CellWays:
    """Open the ways to `ledgers`, addresses by cell; they close with `stack`."""
    ways = CellWays()
    for cell, urls in ledgers.items():

        def connect(retries: Retries, cell: str = cell, urls: Sequence[str] = urls) -> Upstream:
            # What a refusal calls it: phones know of no cells.
            ways.upstreams[cell] = Upstream("ledger", urls, retries)
            return ways.upstreams[cell]

        name = ledger_of(cell)
        ways.guarded[cell] = Guarded(name, rules, connect, metrics.counter(name, (cell,)))
        await stack.enter_async_context(ways.upstreams[cell])
        metrics.watch(ways.guarded[cell])
    return ways
