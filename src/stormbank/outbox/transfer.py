"""Transfers to another cell: its ledger is asked to book the credit, and what it says is final.

The other cell decides once and for all whether it books a transfer, and keeps that with its books. Anything but that
decision (no answer, a refusal for its epoch, a failure of any kind) says nothing, and it is asked again: a payer gets
the money back only where the other cell has recorded that it will never book.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from stormbank.cellmap import CellMap
from stormbank.cells import HEADER as CELL_HEADER
from stormbank.cells import Cells
from stormbank.db.books import Movement
from stormbank.deadline import Deadline
from stormbank.epoch import HEADER as EPOCH_HEADER
from stormbank.epoch import Epoch
from stormbank.guard.guarded import Asker
from stormbank.operations import BY_NAME
from stormbank.outbox import Done, Later, Row
from stormbank.problem import DeadlineExceeded, StaleEpoch, Unavailable
from stormbank.session import CUSTOMER_HEADER, Sessions
from stormbank.transit import RETURNED, Transfer, transit_account
from stormbank.upstream import UpstreamAnswer

ANSWER_MS: Final = 1_500  # several times what it takes, and well within a lease
CLOSED_S: Final = 1.0
"""How long a cell that did not answer is left alone."""

log = logging.getLogger(__name__)


class TransferHandler:
    """Has the ledgers of cell `there`, reached by `upstream`, book what customers of `here` send to its customers.

    `epoch` is that of `here`, `known` the map with that of `there`.
    """

    def __init__(
        self,
        cells: Cells,
        here: str,
        there: str,
        *,
        upstream: Asker,
        known: CellMap,
        epoch: Callable[[], Epoch | None],
        sessions: Sessions,
    ) -> None:
        self._cells = cells
        self._here = here
        self._there = there
        self._upstream = upstream
        self._known = known
        self._epoch = epoch
        self._sessions = sessions
        self._closed_until_s = 0.0

    def open(self) -> bool:
        """Whether the other cell has an epoch that is known, and answered when it was asked last."""
        return self._known.epoch(self._there) is not None and time.monotonic() >= self._closed_until_s

    async def handle(self, row: Row) -> Done | Later:
        """Ask for the credit; Done with its decision, Later without one."""
        transfer = Transfer.of(row.content)
        mine, theirs = self._epoch(), self._known.epoch(self._there)
        if mine is None or theirs is None:
            return Later()
        headers = {
            "Idempotency-Key": str(row.key),
            CUSTOMER_HEADER: self._sessions.issue_for_service(transfer.to_account),
            CELL_HEADER: self._there,
            EPOCH_HEADER: theirs,
        }
        body = json.dumps({**transfer.content(), "cell": self._here, "epoch": str(mine)}).encode()
        try:
            answer = await self._upstream.ask(BY_NAME["credit"], headers, body, Deadline.after_ms(ANSWER_MS))
        except (Unavailable, DeadlineExceeded):
            self._closed_until_s = time.monotonic() + CLOSED_S
            return Later()
        return self._decided(row, transfer, answer, Epoch.parse(theirs).promotion)

    def _decided(self, row: Row, transfer: Transfer, answer: UpstreamAnswer, under: int) -> Done | Later:
        said = _fields(answer.body)
        match answer.status, said.get("outcome"):
            case 200, "booked":
                return Done("booked", under=under)
            case 200, "refused":
                log.info("transfer %s to %s refused: %s", row.key, self._there, said.get("reason"))
                return Done("compensated", self._back(row, transfer))
        if said.get("reason") == StaleEpoch.REASON:
            self._known.doubt(self._there)
        elif answer.status >= 500:
            self._closed_until_s = time.monotonic() + CLOSED_S
        elif answer.status != 429:
            # The other side does not understand us, and will not by itself. The money stays in transit, to be seen.
            log.warning("transfer %s: %s answers %d %s", row.key, self._there, answer.status, said)
        return Later()

    def _back(self, row: Row, transfer: Transfer) -> Movement:
        through = transit_account(self._cells, self._there, row.key)
        return Movement(transfer.key, RETURNED, through, transfer.from_account, transfer.amount)


def _fields(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
