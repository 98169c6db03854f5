"""The gateway's map: the epoch of each cell, asked of its ledgers all the time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from stormbank.cells import Cells
from stormbank.epoch import CellState
from stormbank.lookout import Lookout
from stormbank.problem import Unavailable
from stormbank.wait import pause, until_set

LOOK_EVERY_S: Final = 0.7
"""A refused write has it looked up at once; this is for when nobody writes, and it is asked by dozens."""
AGAIN_S: Final = (
    0.1  # where a look brings nothing any more; where none ever did, a standby is waiting for its day
)
GAP_S: Final = 0.02  # between two looks, however many refusals ask for one

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """What was last heard of a cell; `epoch` as it is written in a header, `at_s` on the monotonic clock."""

    state: CellState
    epoch: str
    at_s: float


class CellMap:
    """What this gateway knows of the cells. It follows to newer epochs, never back to older ones.

    A ledger that tells an older epoch has a database that fell behind, a returned region's perhaps. To follow it would
    be to write there. `observe` is told each new state.
    """

    def __init__(self, cells: Cells, observe: Callable[[CellState], None]) -> None:
        self._observe = observe
        self._known: dict[str, Known | None] = dict.fromkeys(cells.names)
        self._answered: set[str] = set()
        self._complaint: dict[str, str] = {}
        self._doubted = {cell: asyncio.Event() for cell in cells.names}

    @property
    def answered(self) -> frozenset[str]:
        """The cells whose ledgers have answered at least once, be it that they do not know."""
        return frozenset(self._answered)

    def epoch(self, cell: str) -> str | None:
        """Return the epoch that a write to `cell` is to carry, None while it is unknown."""
        known = self._known[cell]
        return None if known is None else known.epoch

    def home(self, cell: str) -> str | None:
        """Return the zone where `cell` is at home, None while it is unknown."""
        known = self._known[cell]
        return None if known is None else known.state.home

    def doubt(self, cell: str) -> None:
        """Report a write that was refused for its epoch: the ledgers are asked again at once."""
        self._doubted[cell].set()

    def learn(self, state: CellState, asked_at_s: float) -> bool:
        """Take what a ledger said; false when it is older than what is known."""
        known = self._known.get(state.cell)
        if known is not None and state.epoch < known.state.epoch:
            self._complain(state.cell, f"is at epoch {state.epoch}, behind {known.epoch}")
            return False
        if known is None or state != known.state:
            log.info("%s is at epoch %s, home %s", state.cell, state.epoch, state.home)
            self._observe(state)
        self._known[state.cell] = Known(state, str(state.epoch), asked_at_s)
        return True

    def fields(self) -> dict[str, Any]:
        """Return the map as JSON fields: each cell's state with its age in seconds, null while unknown."""
        now_s = time.monotonic()
        return {
            "cells": {
                cell: known and {**known.state.fields(), "age_s": round(now_s - known.at_s, 3)}
                for cell, known in self._known.items()
            }
        }

    def _complain(self, cell: str, text: str) -> None:
        """Log what is wrong with a ledger, once as long as it is the same."""
        if self._complaint.get(cell) != text:
            self._complaint[cell] = text
            log.warning("a ledger of %s %s", cell, text)

    async def follow(self, cell: str, lookout: Lookout, every_s: float = LOOK_EVERY_S) -> None:
        """Ask the ledgers of `cell` every `every_s`, and at once when in doubt; runs until cancelled."""
        try:
            while True:
                self._doubted[cell].clear()
                learnt = await self._look(cell, lookout)
                await pause(GAP_S)
                missed = not learnt and self._known[cell] is not None
                await until_set(self._doubted[cell], AGAIN_S if missed else every_s)
        finally:
            await lookout.close()

    async def _look(self, cell: str, lookout: Lookout) -> bool:
        asked_at_s = time.monotonic()

        def accept(body: bytes) -> bool:
            try:
                state = CellState.parse(body)
            except ValueError as error:
                self._complain(cell, f"answers nonsense: {error}")
                return False
            if state.cell != cell:
                self._complain(cell, f"says that it is of {state.cell}")
                return False
            return self.learn(state, asked_at_s)

        try:
            learnt = await lookout.look(accept)
        except Unavailable:
            return False
        self._answered.add(cell)
        return learnt
