"""After a promotion of another cell's database: what was settled with it last is looked after again.

That database may have been promoted without its newest commits (the remote one always may), and what it had booked and
told us of would be missing there: money that left this cell and arrived nowhere. Asked again it books it, or answers
that it has.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Final

import asyncpg

from stormbank.cellmap import CellMap
from stormbank.db.outbox import Outbox
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch
from stormbank.problem import Problem
from stormbank.wait import pause

LOOK_EVERY_S: Final = 0.5
WRITE_MS: Final = 2_000

log = logging.getLogger(__name__)


class Recheck:
    """Watches the promotions of `cells`; `opened` is told when there is work again for the dispatcher."""

    def __init__(
        self,
        outbox: Outbox,
        known: CellMap,
        cells: Collection[str],
        *,
        epoch: Callable[[], Epoch | None],
        window_s: float,
        opened: Callable[[], None],
    ) -> None:
        self._outbox = outbox
        self._known = known
        self._epoch = epoch
        self._window_s = window_s
        self._opened = opened
        self._checked = dict.fromkeys(cells, 0)

    async def keep(self) -> None:
        """Look; runs until cancelled."""
        while True:
            for cell in self._checked:
                try:
                    await self._look(cell)
                except (Problem, asyncpg.PostgresError) as error:
                    log.info("nothing of what went to %s is looked after again: %s", cell, error)
            await pause(LOOK_EVERY_S)

    async def _look(self, cell: str) -> None:
        theirs, mine = self._known.epoch(cell), self._epoch()
        promotion = 0 if theirs is None else Epoch.parse(theirs).promotion
        if mine is None or promotion <= self._checked[cell]:
            return
        deadline = Deadline.after_ms(WRITE_MS)
        opened = await self._outbox.recheck(cell, promotion, self._window_s, mine, deadline)
        self._checked[cell] = promotion
        if opened:
            log.warning("%s was promoted: %d transfers to it are looked after again", cell, opened)
            self._opened()
