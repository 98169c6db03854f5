"""Anti-fraud rules: what a movement looks like, by its amount and by what its payer asked for just before."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

REFUSED_AT: Final = 100
MOST_REMEMBERED: Final = 50_000
"""Movements of all payers together; with more than that in a window the oldest are forgotten early."""

# Points of each rule. Nothing but the largest amounts is refused for one reason alone.
_LARGEST, _LARGE, _OFTEN, _MUCH = 100, 40, 60, 60


@dataclass(frozen=True)
class Limits:
    """What the rules are measured by, in fen: `often` counts what a payer asked for in a window, `much` adds it up."""

    large: int
    largest: int
    often: int
    much: int
    window_s: float


@dataclass(frozen=True)
class Seen:
    """What a payer asked for within the window up to and with a movement: how often, and how much together, in fen."""

    count: int
    amount: int


@dataclass(frozen=True)
class Score:
    """`points` rise with suspicion; `reasons` are the rules that gave some."""

    points: int
    reasons: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """`pass` or `refuse`."""
        return "refuse" if self.points >= REFUSED_AT else "pass"


def score(amount: int, seen: Seen, limits: Limits) -> Score:
    """Score a movement of `amount` whose payer asked for what was `seen`. The same always comes to the same."""
    rules = (
        ("amount", _LARGEST, amount > limits.largest),
        ("large", _LARGE, limits.large < amount <= limits.largest),
        ("often", _OFTEN, seen.count > limits.often),
        ("much", _MUCH, seen.amount > limits.much),
    )
    given = [(name, points) for name, points, applies in rules if applies]
    return Score(sum(points for _, points in given), tuple(name for name, _ in given))


@dataclass(frozen=True)
class _Asked:
    at_s: float
    customer: int
    amount: int
    key: str


class Velocity:
    """What each payer asked for during the last `window_s` seconds, as far as this process was asked about it.

    A movement is counted once, however often it is repeated, and a repetition looks like the first time: whoever
    asks again for what was let pass must not be refused for that.
    """

    def __init__(self, window_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._clock = clock
        self._order: deque[_Asked] = deque()
        self._by_customer: dict[int, Seen] = {}
        self._by_key: dict[tuple[int, str], Seen] = {}

    def count(self, customer: int, amount: int, key: str) -> Seen:
        """Count a movement in, and return what its payer came to with it."""
        now_s = self._clock()
        while self._order and (
            self._order[0].at_s <= now_s - self._window_s or len(self._order) >= MOST_REMEMBERED
        ):
            self._forget(self._order.popleft())
        first = self._by_key.get((customer, key))
        if first is not None:
            return first
        before = self._by_customer.get(customer, Seen(0, 0))
        seen = Seen(before.count + 1, before.amount + amount)
        self._order.append(_Asked(now_s, customer, amount, key))
        self._by_customer[customer] = self._by_key[customer, key] = seen
        return seen

    def _forget(self, asked: _Asked) -> None:
        del self._by_key[asked.customer, asked.key]
        seen = self._by_customer[asked.customer]
        if seen.count == 1:
            del self._by_customer[asked.customer]
        else:
            self._by_customer[asked.customer] = Seen(seen.count - 1, seen.amount - asked.amount)
