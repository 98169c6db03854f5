"""The trouble that an external party is told to have: slow or no answers, failures, refusals, death."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Final

LONGEST_MS: Final = 600_000
SHARES: Final = ("error_share", "silent_share", "refuse_share", "dead_share")


@dataclass(frozen=True)
class Trouble:
    """Every answer comes `delay_ms` late. The others are shares of requests, 0 to 1; ValueError for what is none.

    `error_share`: failures, with nothing done. `silent_share`: done, and never answered. `refuse_share`: refused, by a
    party that can refuse. `dead_share`: cut off with nothing done.
    """

    delay_ms: float = 0.0
    error_share: float = 0.0
    silent_share: float = 0.0
    refuse_share: float = 0.0
    dead_share: float = 0.0

    def __post_init__(self) -> None:
        wrong = []
        if not 0 <= self.delay_ms <= LONGEST_MS:
            wrong.append(f"delay_ms is not within 0 to {LONGEST_MS}")
        wrong += [f"{name} is not within 0 to 1" for name in SHARES if not 0 <= getattr(self, name) <= 1]
        if wrong:
            raise ValueError("; ".join(wrong))

    def fields(self) -> dict[str, float]:
        """Return it as JSON fields."""
        return asdict(self)

    def changed(self, body: bytes) -> Trouble:
        """Return it with what a JSON object of some of its fields says; ValueError with the reason."""
        found = json.loads(body)
        if not isinstance(found, dict):
            raise ValueError("not an object")
        wrong = sorted(
            name for name, value in found.items() if name not in self.fields() or not _is_number(value)
        )
        if wrong:
            raise ValueError("unknown or mistyped: " + ", ".join(wrong))
        return Trouble(**{**self.fields(), **found})


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


class Failures:
    """Spreads failures evenly: the share of any number of answers, to within one. No chance: tests count."""

    def __init__(self) -> None:
        self._owed = 0.0

    def due(self, share: float) -> bool:
        """Whether the next answer is to be a failure."""
        self._owed += share
        if self._owed < 1.0:
            return False
        self._owed -= 1.0
        return True
