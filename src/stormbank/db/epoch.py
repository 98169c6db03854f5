"""The ledger's knowledge of its cell's epoch: asked of the database each time, never remembered in its place."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

import asyncpg

from stormbank.db.access import Access
from stormbank.db.pool import Connection
from stormbank.deadline import Deadline
from stormbank.epoch import CellState, Epoch
from stormbank.problem import DeadlineExceeded, Unavailable
from stormbank.wait import pause, until_set

ASK_MS: Final = 400  # less than the gateways wait for the answer
LOOK_EVERY_S: Final = 1.0
GAP_S: Final = 0.02  # many writes doubt at once, and one look settles them all

_READ: Final = "SELECT promotion, version, home, timeline = bank_timeline() AS recorded FROM cell_epoch"
_RECORD: Final = "SELECT bank_record_promotion()"
_REMAP: Final = "SELECT promotion, version FROM bank_remap($1)"

log = logging.getLogger(__name__)


class EpochKeeper:
    """Tells the epoch of `cell`, and records a promotion of its database that nobody has recorded yet.

    `observe` is told each state that was read. While there is no database, `keep` looks again every `search_pause_s`.
    """

    def __init__(
        self, access: Access, cell: str, *, observe: Callable[[CellState], None], search_pause_s: float
    ) -> None:
        self._access = access
        self._cell = cell
        self._observe = observe
        self._search_pause_s = search_pause_s
        self._asking: asyncio.Task[CellState] | None = None
        self._last: CellState | None = None
        self._told_s = float("-inf")
        self._doubted = asyncio.Event()

    @property
    def last(self) -> Epoch | None:
        """The epoch that was last heard, for who is refused by the database if it is another by now."""
        return None if self._last is None else self._last.epoch

    async def now(self) -> CellState:
        """Ask the database, for all who ask at this time; Unavailable when it does not tell."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(Deadline.after_ms(ASK_MS)))
            self._asking.add_done_callback(self._asked)
        return await asyncio.shield(self._asking)

    def doubt(self) -> None:
        """Report a write of another epoch than the database's: it may have been promoted."""
        self._doubted.set()

    async def keep(self) -> None:
        """See to it that a promotion is recorded, whether or not anybody asks; runs until cancelled."""
        while True:
            doubted = self._doubted.is_set()
            self._doubted.clear()
            try:
                if doubted or time.monotonic() - self._told_s >= LOOK_EVERY_S:
                    await self.now()
                # Gateways ask, too, and whoever asks sees to it.
                pause_s = max(GAP_S, self._told_s + LOOK_EVERY_S - time.monotonic())
            except Unavailable:
                pause_s = self._search_pause_s
            await pause(GAP_S)
            await until_set(self._doubted, pause_s)

    async def _ask(self, deadline: Deadline) -> CellState:
        try:
            row = await self._access.read(_read, deadline)
            if not row["recorded"]:
                # Here and not when the primary is found: this commit may have to wait for a standby, readers need not.
                await self._access.write(_record, deadline)
                row = await self._access.read(_read, deadline)
        except DeadlineExceeded:
            raise Unavailable("database") from None
        except asyncpg.PostgresError as error:
            log.warning("epoch of %s unknown: %s", self._cell, error)
            raise Unavailable("database") from error
        if not row["recorded"]:
            raise Unavailable("stale_epoch")
        state = CellState(self._cell, Epoch(row["promotion"], row["version"]), row["home"])
        self._last = state
        self._told_s = time.monotonic()
        self._observe(state)
        return state

    def _asked(self, task: asyncio.Task[CellState]) -> None:
        self._asking = None
        if not task.cancelled():
            task.exception()  # looked at, also when whoever asked has gone


async def remapped(access: Access, cell: str, home: str, deadline: Deadline) -> CellState:
    """Change the map; returns after the commit. Done twice it is done: the version only rises once more."""

    async def work(connection: Connection) -> Any:
        return await connection.fetchrow(_REMAP, home)

    row = await access.write(work, deadline)
    return CellState(cell, Epoch(row["promotion"], row["version"]), home)


async def _read(connection: Connection) -> Any:
    return await connection.fetchrow(_READ)


async def _record(connection: Connection) -> None:
    await connection.execute(_RECORD)
