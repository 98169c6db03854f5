"""The caller's time budget, carried from hop to hop in the header X-Deadline-Ms."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from stormbank.problem import BadRequest
from stormbank.wrong import Wrong

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
        """Read the header: whole milliseconds. Absent means DEFAULT_MS, too long is cut, 0 or less is over already."""
        if value is None:
            return cls.after_ms(DEFAULT_MS)
        # Not what int() would take besides: spaces, underscores, other scripts' digits.
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()):
            raise BadRequest(Wrong.DEADLINE, f"{HEADER} is not a whole number of milliseconds")
        budget_ms = int(value[:12])
        return cls.after_ms(min(budget_ms, LONGEST_MS))

    def remaining_s(self) -> float:
        """Seconds left; negative when the time is over."""
        return self.at_s - time.monotonic()

    def next_hop_ms(self) -> int:
        """Give the next hop its budget: what is left less the way back. Zero or less: do not start."""
        return int(self.remaining_s() * 1000) - HOP_MARGIN_MS
