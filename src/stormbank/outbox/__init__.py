"""The outbox: what is to be done elsewhere because of a movement, from the row in the books to its outcome.

A row is written in the transaction of its movement, so there is never one without the other. A dispatcher in each
ledger takes rows that are due and has the handler of their kind carry them out.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from stormbank.db.books import Movement


@dataclass(frozen=True)
class Row:
    """One thing to do. `key` is the same at each attempt, and what makes it the same thing elsewhere, too.

    `content` is what the movement's writer put there, `attempts` counts from 1.
    """

    id: int
    key: uuid.UUID
    kind: str
    content: Mapping[str, Any]
    attempts: int


@dataclass(frozen=True)
class Done:
    """It is settled: `outcome` is what a customer's question for the movement is answered with from now on.

    `booked`: it is as ordered; `compensated`: it is undone. `booking`, if any, is booked in the same transaction, once
    for a row; its key is the order's. `under` is the promotion of the other cell that it was found done under.
    """

    outcome: str
    booking: Movement | None = None
    under: int | None = None


@dataclass(frozen=True)
class Later:
    """It is not known, or not possible now: try again after so many seconds, or after the usual pause."""

    after_s: float | None = None


@runtime_checkable
class Selective(Protocol):
    """A handler that at times wants no rows, for whom it asks does not answer."""

    def open(self) -> bool:
        """Whether rows of its kind are to be taken now. It must become true again by itself."""


class Handler(Protocol):
    """Carries out rows of one kind."""

    async def handle(self, row: Row) -> Done | Later:
        """Do it, or find out that it was done; ends well within the lease of a row.

        May be killed at any moment, and called again with the same row, also at the same time by another ledger. Done
        only for what can never turn out otherwise. An exception is a Later that is logged.
        """
