"""What a ledger does about its outbox: the dispatcher, a handler for each kind of row, and what they need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from stormbank.cellmap import CellMap
from stormbank.clearing.sending import clearing_handlers
from stormbank.db.access import Access
from stormbank.db.epoch import EpochKeeper
from stormbank.db.outbox import Outbox
from stormbank.epoch import CellState
from stormbank.lookout import Lookout
from stormbank.metrics import OutboxMetrics, ServiceMetrics
from stormbank.outbox.dispatcher import Dispatcher
from stormbank.outbox.recheck import Recheck
from stormbank.outbox.transfer import TransferHandler
from stormbank.session import Sessions
from stormbank.settings.ledger import LedgerSettings
from stormbank.transit import kind_of
from stormbank.upstream import Upstream


@dataclass(frozen=True)
class Sending:
    """`reached` are the other cells that customers can send to; `loops` run as long as the ledger."""

    dispatcher: Dispatcher
    reached: frozenset[str]
    loops: Mapping[str, Coroutine[None, None, None]]


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
        handlers = await clearing_handlers(settings, stack)
        for there, urls in others.items():
            upstream = await stack.enter_async_context(Upstream("ledger", urls))
            handlers[kind_of(there)] = TransferHandler(
                cells,
                here,
                there,
                upstream=upstream,
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
            f"the watch over {cell}": known.follow(cell, Lookout(urls, "/cell"))
            for cell, urls in others.items()
        }
        loops = {"the dispatcher": dispatcher.keep(), "the look after transfers": recheck.keep(), **follow}
        yield Sending(dispatcher, frozenset(others), loops)
