"""The clearing party's own books: payment orders, in one SQLite file, durable before anybody is answered."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from stormbank.problem import Conflict

KNOWN: Final = "known"
CONFIRMED: Final = "confirmed"
REFUSED: Final = "refused"

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS paid_order (
    number      INTEGER PRIMARY KEY,
    key         TEXT    NOT NULL,
    origin      TEXT    NOT NULL,
    day         TEXT    NOT NULL,
    payer       INTEGER NOT NULL,
    payee       TEXT    NOT NULL,
    amount      INTEGER NOT NULL CHECK (amount > 0),
    verdict     TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    came        INTEGER NOT NULL DEFAULT 1,
    received_at REAL    NOT NULL
);
CREATE INDEX IF NOT EXISTS paid_order_key ON paid_order (key);
CREATE INDEX IF NOT EXISTS paid_order_day ON paid_order (day, origin, number);
CREATE INDEX IF NOT EXISTS paid_order_open ON paid_order (received_at) WHERE state = 'known';
"""
_PLACE: Final = """
INSERT INTO paid_order (key, origin, day, payer, payee, amount, verdict, state, received_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NAMED: Final = """
SELECT number, key, origin, day, payer, payee, amount, state, came FROM paid_order
WHERE key = ? AND origin = ? ORDER BY number
"""
_OF_DAY: Final = """
SELECT number, key, origin, day, payer, payee, amount, state, came FROM paid_order
WHERE day = ? AND origin = ? AND number > ? ORDER BY number LIMIT ?
"""
_CAME: Final = "UPDATE paid_order SET came = came + 1 WHERE number = ?"
_DECIDE: Final = "UPDATE paid_order SET state = verdict WHERE state = 'known' AND received_at <= ?"


@dataclass(frozen=True)
class Order:
    """What a bank asks for: `amount` in fen from `payer`, an account of `origin`, to `payee`, on the books of `day`.

    Origin and key together name it: each origin has its own keys.
    """

    key: str
    origin: str
    day: str
    payer: int
    payee: str
    amount: int


@dataclass(frozen=True)
class Entry:
    """An order in the books, which `came` so often. `state`: known (not decided yet), confirmed (paid) or refused."""

    number: int
    order: Order
    state: str
    came: int

    def fields(self) -> dict[str, Any]:
        """Return it as JSON fields."""
        return {"number": self.number, **self.order.__dict__, "state": self.state, "came": self.came}


class Orders:
    """The books in the file at `path`. Every method may be used from one thread only, and has committed on return.

    `idempotency` off takes an order that comes twice for two.
    """

    def __init__(self, path: Path, *, idempotency: bool, clock: Callable[[], float] = time.time) -> None:
        self._idempotency = idempotency
        self._clock = clock
        self._books = sqlite3.connect(path, isolation_level=None)
        # What was answered must survive the machine, not only the process.
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 2000"):
            self._books.execute(f"PRAGMA {pragma}")
        self._books.executescript(_TABLES)

    def place(self, order: Order, verdict: str, *, decided: bool) -> tuple[Entry, bool]:
        """Enter `order`, or find it entered (true); Conflict when its key stands for another one.

        An order that is not `decided` is known, and gets its `verdict` later.
        """
        with self._transaction():
            earlier = self.named(order.origin, order.key) if self._idempotency else []
            if earlier:
                if earlier[0].order != order:
                    raise Conflict("key_reused")
                self._books.execute(_CAME, (earlier[0].number,))
                return replace(earlier[0], came=earlier[0].came + 1), True
            state = verdict if decided else KNOWN
            values = (*order.__dict__.values(), verdict, state, self._clock())
            number = self._books.execute(_PLACE, values).lastrowid
        return Entry(number or 0, order, state, 1), False

    def decide(self, older_than_s: float) -> int:
        """Give orders that came so long ago their verdict; how many there were."""
        until = self._clock() - older_than_s
        with self._transaction():
            done = self._books.execute(_DECIDE, (until,))
        return done.rowcount

    def named(self, origin: str, key: str) -> list[Entry]:
        """Return what `origin` has under `key`; more than one entry only where the party ran without idempotency."""
        return [_entry(row) for row in self._books.execute(_NAMED, (key, origin))]

    def of_day(self, day: str, origin: str, after: int, limit: int) -> list[Entry]:
        """Return the next orders of a day after the one numbered `after`, in the order they came."""
        return [_entry(row) for row in self._books.execute(_OF_DAY, (day, origin, after, limit))]

    def close(self) -> None:
        """Close the file."""
        self._books.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._books.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._books.execute("ROLLBACK")
            raise
        self._books.execute("COMMIT")


def _entry(row: tuple[Any, ...]) -> Entry:
    number, *order, state, came = row
    return Entry(number, Order(*order), state, came)
