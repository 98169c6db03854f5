"""Fairness between customers: one of them may not hold more than a share of the room when others want in."""

from __future__ import annotations

import time
from typing import Final

from stormbank.clock import Clock

FEWEST: Final = 3
"""A phone asks for a few things at once. So many are nobody's business, however small the room is."""
CROWDED: Final = 0.5
"""Of the limit. In a room that is emptier than this nobody stands in another's way."""
WANTED_S: Final = 1.0
"""For how long somebody who asked, let in or turned away, counts as one who wants in."""
_NEVER_S: Final = float("-inf")


class Fairness:
    """Counts what each customer holds, and remembers that others asked."""

    def __init__(self, share: float, *, clock: Clock = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._held: dict[int, int] = {}
        # The last one who asked, and when the last one did that was another: enough to know of anybody's others.
        self._last: int | None = None
        self._last_s = self._other_s = _NEVER_S

    def refuses(self, customer: int, inflight: int, limit: int) -> bool:
        """Whether `customer` holds its share of a room of `limit` with `inflight` in it, and others want in."""
        if inflight < limit * CROWDED or self._held.get(customer, 0) < max(FEWEST, int(limit * self._share)):
            return False
        others_s = self._other_s if self._last == customer else self._last_s
        return self._clock() - others_s < WANTED_S

    def asked(self, customer: int | None) -> None:
        """Hear that `customer` wants in; None for one who has not logged in, and is another every time."""
        if customer is None or customer != self._last:
            self._last, self._other_s = customer, self._last_s
        self._last_s = self._clock()

    def took(self, customer: int) -> None:
        """`customer` was let in."""
        self._held[customer] = self._held.get(customer, 0) + 1

    def gave_back(self, customer: int) -> None:
        """One request of `customer` is done."""
        left = self._held[customer] - 1
        if left:
            self._held[customer] = left
        else:
            del self._held[customer]
