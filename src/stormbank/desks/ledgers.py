"""How a service has something booked or kept: by the ledger of the customer's cell, which alone opens its books."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from aiohttp import web

from stormbank.cells import HEADER as CELL_HEADER
from stormbank.cells import Cells
from stormbank.cellways import open_ways
from stormbank.deadline import Deadline
from stormbank.epoch import HEADER as EPOCH_HEADER
from stormbank.guard.guarded import Asker
from stormbank.guard.metrics import GuardMetrics
from stormbank.metrics import CallMetrics, ServiceMetrics
from stormbank.operations import Operation
from stormbank.problem import Misrouted
from stormbank.settings.asking import AskingSettings
from stormbank.upstream import UpstreamAnswer

PASSED_ON: Final = ("Authorization", "Idempotency-Key", CELL_HEADER, EPOCH_HEADER)


class Ledgers:
    """The ledgers of every cell."""

    def __init__(self, cells: Cells, by_cell: Mapping[str, Asker]) -> None:
        self._cells = cells
        self._by_cell = by_cell

    async def ask(
        self,
        operation: Operation,
        customer: int,
        request: web.BaseRequest,
        fields: Mapping[str, Any],
        deadline: Deadline,
    ) -> UpstreamAnswer:
        """Ask for `operation` on behalf of the customer of `request`, under the request's key, epoch and token.

        Raises Misrouted when the gateway takes the customer for another cell's, and what Guarded.ask raises.
        """
        cell = self._cells.of(customer)
        if request.headers.get(CELL_HEADER, cell) != cell:
            raise Misrouted("customer", cell=cell)
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        return await self._by_cell[cell].ask(operation, headers, json.dumps(fields).encode(), deadline)


def passed_on(answer: UpstreamAnswer) -> web.Response:
    """Return a ledger's answer as the service's own: what it says of money and epochs is for others to read."""
    response = web.Response(status=answer.status, body=answer.body, content_type="application/json")
    if answer.retry_after is not None:
        response.headers["Retry-After"] = answer.retry_after
    return response


@asynccontextmanager
async def ledgers(settings: AskingSettings, metrics: ServiceMetrics) -> AsyncIterator[Ledgers]:
    """Connections to the ledgers, for as long as the body lasts; `metrics` are those of the process."""
    async with AsyncExitStack() as stack:
        guards = GuardMetrics(metrics.registry, CallMetrics(metrics.registry))
        ways = await open_ways(stack, settings.ledgers, settings.guard, guards)
        yield Ledgers(settings.common.cells, ways.guarded)
