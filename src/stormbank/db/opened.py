"""The books of a cell as those open them who are no ledger: they found nothing, and write under the cell's epoch."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final

from stormbank.cells import Cells
from stormbank.db.access import Access
from stormbank.db.address import parse_dsn
from stormbank.db.epoch import EpochKeeper
from stormbank.db.pool import Connection
from stormbank.db.primary import Primary
from stormbank.db.schema import check
from stormbank.epoch import CellState, Epoch

POOL: Final = 3
# How long new writes may stand in line behind a day's cut that itself waits for a write in flight.
LOCK_MS: Final = 300


@dataclass(frozen=True)
class Opened:
    """The way to the books of `cell`. `watch` must run beside whatever uses them."""

    cell: str
    primary: Primary
    access: Access
    epochs: EpochKeeper

    def watch(self) -> Coroutine[None, None, None]:
        """Find the primary and hold on to it; runs until cancelled."""
        return self.primary.watch()

    async def epoch(self) -> Epoch:
        """Return the cell's epoch, as its database tells it now; Unavailable."""
        return (await self.epochs.now()).epoch


def books_of(
    cell: str,
    dsn: str,
    cells: Cells,
    *,
    password: str | None,
    search_s: float,
    observe: Callable[[CellState], None] = lambda _: None,
) -> Opened:
    """Open the books of `cell`, one of `cells`, at `dsn`; a database without that bank is as good as none."""

    async def prepare(connection: Connection) -> None:
        await check(connection, cells, cell)

    primary = Primary(
        parse_dsn(dsn),
        password=password,
        pool_size=POOL,
        prepare=prepare,
        search_pause_s=search_s,
        lock_timeout_ms=LOCK_MS,
    )
    access = Access(primary, POOL)
    epochs = EpochKeeper(access, cell, observe=observe, search_pause_s=search_s)
    return Opened(cell, primary, access, epochs)
