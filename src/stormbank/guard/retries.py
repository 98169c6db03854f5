"""The retry budget: repeating is for the few that had bad luck. When most fail, it is more load on what is down.

Each request adds a share of a retry, and time a few a second, so that a service which is hardly asked may be repeated,
too. What is not used is forgotten after a while.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from stormbank.clock import Clock
from stormbank.guard.window import Window

_ASKED, _SPENT = range(2)


@dataclass(frozen=True)
class RetryRules:
    """Retries may be `share` of the requests of the last `ttl_s`, and `floor_per_s` besides."""

    share: float
    floor_per_s: float
    ttl_s: float


class RetryBudget:
    """`rules` None: retries without limit."""

    def __init__(self, rules: RetryRules | None, *, clock: Clock = time.monotonic) -> None:
        self._rules = rules
        self._counts = Window(rules.ttl_s if rules else 1.0, 2, clock=clock)
        self.spent = 0
        self.refused = 0

    def asked(self) -> None:
        """Count one request."""
        if self._rules is not None:
            self._counts.add(_ASKED)

    def take(self) -> bool:
        """Spend one retry; false when there is none left."""
        rules = self._rules
        if rules is not None:
            allowed = rules.share * self._counts.total(_ASKED) + rules.floor_per_s * rules.ttl_s
            if self._counts.total(_SPENT) + 1 > allowed:
                self.refused += 1
                return False
            self._counts.add(_SPENT)
        self.spent += 1
        return True
