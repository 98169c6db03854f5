"""What a ledger does about its outbox: the dispatcher, a handler for each kind of row, and what they need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from stormbank.cellmap import CellMap
from stormbank.cellways import open_ways
from stormbank.clearing.sending import clearing_handlers
from stormbank.db.access import Access
from stormbank.db.books import Movement
from stormbank.db.epoch import EpochKeeper
from stormbank.db.outbox import Outbox
from stormbank.epoch import CellState
from stormbank.guard.metrics import GuardMetrics
from stormbank.lookout import Lookout
from stormbank.metrics import CallMetrics, OutboxMetrics, ServiceMetrics
from stormbank.outbox import Done, Handler, Later, Row
from stormbank.outbox.dispatcher import Dispatcher
from stormbank.outbox.recheck import Recheck
from stormbank.outbox.transfer import TransferHandler
from stormbank.session import Sessions
from stormbank.settings.ledger import LedgerSettings
from stormbank.transit import kind_of

FOLLOW_EVERY_S: Final = (
    2.0  # a ledger asks many times less than gateways do: it can wait, and is told when it is wrong
)


@dataclass(frozen=True)
class Sending:
    """`sent` is to be told of each movement with something outgoing, after its commit.

    `reached` are the other cells that customers can send to; `loops` run as long as the ledger.
    """

    sent: Callable[[Movement], None]
    reached: frozenset[str]
    loops: Mapping[str, Coroutine[None, None, None]]


class Unkept:
    """What a bank without an outbox does: it tries once, from memory, and what comes of it nobody looks at."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._trying: set[asyncio.Task[Done | Later]] = set()

    def sent(self, movement: Movement) -> None:
        """Try to carry out what `movement` has to be followed by."""
        outgoing = movement.outgoing
        if outgoing is not None and outgoing.kind in self._handlers:
            row = Row(0, movement.key, outgoing.kind, outgoing.content, 1)
            task = asyncio.create_task(self._handlers[outgoing.kind].handle(row))
            self._trying.add(task)
            task.add_done_callback(self._trying.discard)


@asynccontextmanager
async def sending_of(
    settings: LedgerSettings,
    access: Access,
    epochs: EpochKeeper,
    sessions: Sessions,
    metrics: ServiceMetrics,
    *,
    observe: Callable[[CellState], None],
) -> AsyncIterator[Sending]:
    """Set up what a ledger with these settings sends; `observe` is told what is heard of other cells."""
    cells, here = settings.common.cells, settings.cell
    others = {cell: urls for cell, urls in settings.ledgers.items() if cell != here}
    known = CellMap(cells, observe)
    outbox = Outbox(access, settings.outbox_lease_s)
    async with AsyncExitStack() as stack:
        calls = CallMetrics(metrics.registry)
        handlers = await clearing_handlers(settings, stack, calls)
        ways = await open_ways(stack, others, settings.guard, GuardMetrics(metrics.registry, calls))
        for there, way in ways.guarded.items():
            handlers[kind_of(there)] = TransferHandler(
                cells,
                here,
                there,
                upstream=way,
                known=known,
                epoch=lambda: epochs.last,
                sessions=sessions,
            )
        dispatcher = Dispatcher(
            outbox,
            handlers,
            epoch=lambda: epochs.last,
            doubt=epochs.doubt,
            counts=OutboxMetrics(metrics.registry, here, handlers),
            parallel=settings.outbox_parallel,
        )
        recheck = Recheck(
            outbox,
            known,
            others,
            epoch=lambda: epochs.last,
            window_s=settings.recheck_s,
            opened=dispatcher.wake,
        )
        follow = {
            f"the watch over {cell}": known.follow(cell, Lookout(urls, "/cell"), FOLLOW_EVERY_S)
            for cell, urls in others.items()
        }
        loops = {"the dispatcher": dispatcher.keep(), "the look after transfers": recheck.keep(), **follow}
        sent = (lambda _: dispatcher.wake()) if settings.outbox else Unkept(handlers).sent
        yield Sending(sent, frozenset(others), loops)
