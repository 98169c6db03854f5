"""What identity asks of the customers' cells: internal operations of their ledgers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from stormbank.cells import HEADER as CELL_HEADER
from stormbank.cells import Cells
from stormbank.deadline import Deadline
from stormbank.epoch import HEADER as EPOCH_HEADER
from stormbank.guard.guarded import Asker
from stormbank.operations import BY_NAME
from stormbank.problem import Problem, Unavailable
from stormbank.session import CUSTOMER_HEADER, Sessions
from stormbank.upstream import UpstreamAnswer

DISAGREED: Final = (401, 421)
"""A service's word does not hold (clocks further apart than it lasts, another secret), or the cell is another one:
nothing that a phone did, and nothing that it can mend by another login."""

log = logging.getLogger(__name__)


class Relayed(Problem):
    """A ledger's refusal, passed on as it is: it knows best what is wrong."""

    def __init__(self, answer: UpstreamAnswer) -> None:
        try:
            fields = json.loads(answer.body)
            super().__init__(fields.pop("reason"), **fields)
        except (ValueError, KeyError, TypeError, AttributeError):
            super().__init__("ledger")
        self.status = answer.status
        self.retry_after_s = int(answer.retry_after) if answer.retry_after else None


@dataclass(frozen=True)
class Asked:
    """What a request said of its cell and of the map it was made under, for whoever is asked next."""

    headers: Mapping[str, str]

    @classmethod
    def by(cls, request: web.BaseRequest) -> Asked:
        """Take it from the request's headers."""
        names = (CELL_HEADER, EPOCH_HEADER)
        return cls({name: request.headers[name] for name in names if name in request.headers})


class Records:
    """Asks the ledgers of the customer's cell. Every method raises what the ledger refuses with, as it is.

    But for Unavailable where ledger and identity do not understand each other.
    """

    def __init__(self, cells: Cells, ledgers: Mapping[str, Asker], sessions: Sessions) -> None:
        self._cells = cells
        self._ledgers = ledgers
        self._sessions = sessions

    def cell_of(self, customer: int) -> str:
        """Return whose ledgers are asked for `customer`."""
        return self._cells.of(customer)

    async def ask(
        self, operation: str, customer: int, fields: dict[str, Any], asked: Asked, deadline: Deadline
    ) -> dict[str, Any]:
        """Have an internal operation done for `customer`; return its fields. Problem when it is not done."""
        cell = self._cells.of(customer)
        headers = {CELL_HEADER: cell, **asked.headers, "Content-Type": "application/json"}
        headers[CUSTOMER_HEADER] = self._sessions.issue_for_service(customer)
        answer = await self._ledgers[cell].ask(
            BY_NAME[operation], headers, json.dumps(fields).encode(), deadline
        )
        if answer.status in DISAGREED:
            log.warning("a ledger of %s answers %s with %d: %r", cell, operation, answer.status, answer.body)
            raise Unavailable("ledger")
        if answer.status != 200:
            raise Relayed(answer)
        found: dict[str, Any] = json.loads(answer.body)
        return found
