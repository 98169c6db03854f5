"""The trouble that an external party is told to have: slow answers, and failures."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Final

LONGEST_MS: Final = 600_000


@dataclass(frozen=True)
class Trouble:
    """Every answer comes `delay_ms` late, and `error_share` of them (0 to 1) are failures. ValueError for others."""

    delay_ms: float = 0.0
    error_share: float = 0.0

    def __post_init__(self) -> None:
        wrong = []
        if not 0 <= self.delay_ms <= LONGEST_MS:
            wrong.append(f"delay_ms is not within 0 to {LONGEST_MS}")
        if not 0 <= self.error_share <= 1:
            wrong.append("error_share is not within 0 to 1")
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
