"""The caller's time budget, carried from hop to hop in the header X-Deadline-Ms."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from stormbank.problem import BadRequest

HEADER: Final = "X-Deadline-Ms"
DEFAULT_MS: Final = 3_000
LONGEST_MS: Final = 30_000
HOP_MARGIN_MS: Final = 10  # what the answer needs to travel back and be passed on


@dataclass(frozen=True)
class Deadline:
    """A moment on this process's monotonic clock, in seconds."""

    at_s: float

    @classmethod
    def after_ms(cls, budget_ms: float) -> Deadline:
        """Start the clock on a budget in milliseconds."""
        return cls(time.monotonic() + budget_ms / 1000)

    @classmethod
    def from_header(cls, value: str | None) -> Deadline:
        """Read the header: a positive number of milliseconds; absent means DEFAULT_MS, too long is cut."""
        if value is None:
            return cls.after_ms(DEFAULT_MS)
        # Not what int() would take besides: signs, spaces, underscores, other scripts' digits.
        budget_ms = int(value[:12]) if value.isascii() and value.isdigit() else 0
        if budget_ms == 0:
            raise BadRequest(f"{HEADER} is not a positive whole number of milliseconds")
        return cls.after_ms(min(budget_ms, LONGEST_MS))

    def remaining_s(self) -> float:
        """Seconds left; negative when the time is over."""
        return self.at_s - time.monotonic()

    def next_hop_ms(self) -> int:
        """Give the next hop its budget: what is left less the way back. Zero or less: do not start."""
        return int(self.remaining_s() * 1000) - HOP_MARGIN_MS
