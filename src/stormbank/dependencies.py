"""Whom a gateway asks: the ledgers of each cell and each service, every one of them behind a guard of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack

from stormbank.addresses import Order
from stormbank.cells import ledger_of
from stormbank.flow.control import FlowControl
from stormbank.guard.guarded import Guarded, GuardRules
from stormbank.guard.metrics import GuardMetrics
from stormbank.operations import OPERATIONS, Operation
from stormbank.problem import Unavailable
from stormbank.upstream import Retries, Upstream


def serves(cells: Iterable[str], services: Iterable[str]) -> dict[str, tuple[Operation, ...]]:
    """Return what each dependency does, by its name."""
    found = {ledger_of(cell): _done_by("ledger") for cell in cells}
    return found | {service: _done_by(service) for service in services}


def _done_by(service: str) -> tuple[Operation, ...]:
    return tuple(each for each in OPERATIONS if each.service == service)


class Dependencies:
    """Finds the guarded way to whoever does an operation."""

    def __init__(self, guarded: Mapping[str, Guarded]) -> None:
        self._guarded = guarded

    def of(self, operation: Operation, cell: str) -> Guarded:
        """Return who does `operation` for customers of `cell`; Unavailable when this bank has no such service."""
        return self[ledger_of(cell) if operation.service == "ledger" else operation.service]

    def __getitem__(self, name: str) -> Guarded:
        found = self._guarded.get(name)
        if found is None:
            raise Unavailable(name)
        return found


async def connect(
    stack: AsyncExitStack,
    urls: Mapping[str, Sequence[str]],
    rules: Callable[[str], GuardRules],
    flow: FlowControl,
    metrics: GuardMetrics,
    *,
    cells: Sequence[str],
    orders: Mapping[str, Order],
) -> tuple[Dependencies, dict[str, Upstream]]:
    """Open the ways to all of `urls`, by dependency; they close with `stack`. Flow control hears of every answer.

    `rules` are those of the guard around a dependency, by its name. `cells` are the bank's. `orders` says of a
    dependency which of its addresses come first, where they are no equals.
    """
    upstreams: dict[str, Upstream] = {}
    guarded: dict[str, Guarded] = {}
    for name, some in urls.items():
        of = [cell for cell in cells if ledger_of(cell) == name] or cells
        guarded[name] = Guarded(
            name,
            rules(name),
            _way(name, some, upstreams, orders.get(name)),
            metrics.counter(name, of),
            flow.observer(name),
        )
        await stack.enter_async_context(upstreams[name])
        metrics.watch(guarded[name])
    return Dependencies(guarded), upstreams


def _way(
    name: str, urls: Sequence[str], upstreams: dict[str, Upstream], order: Order | None
) -> Callable[[Retries], Upstream]:
    # What a refusal calls it: phones know of no cells.
    reason = "ledger" if name.startswith("ledger-") else name

    def open_with(retries: Retries) -> Upstream:
        upstreams[name] = Upstream(reason, urls, retries, order)
        return upstreams[name]

    return open_with
