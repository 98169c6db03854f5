"""Counts of the last seconds: forgotten part by part, and not all at once."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from stormbank.clock import Clock

PARTS: Final = 10


class Window:
    """Counts of several kinds over `length_s`, exact to a tenth of it."""

    def __init__(self, length_s: float, kinds: int, *, clock: Clock = time.monotonic) -> None:
        self._part_s = length_s / PARTS
        self._clock = clock
        self.totals = [0.0] * kinds
        self._parts: deque[tuple[int, list[float]]] = deque()

    def add(self, kind: int, count: float = 1.0) -> None:
        """Count something now."""
        part = self._turn()
        if not self._parts or self._parts[-1][0] != part:
            self._parts.append((part, [0.0] * len(self.totals)))
        self._parts[-1][1][kind] += count
        self.totals[kind] += count

    def total(self, kind: int) -> float:
        """Return what was counted of a kind in the last `length_s`."""
        self._turn()
        return self.totals[kind]

    def clear(self) -> None:
        """Forget everything."""
        self._parts.clear()
        self.totals = [0.0] * len(self.totals)

    def _turn(self) -> int:
        part = int(self._clock() / self._part_s)
        while self._parts and self._parts[0][0] <= part - PARTS:
            _, gone = self._parts.popleft()
            self.totals = [total - count for total, count in zip(self.totals, gone, strict=True)]
        return part
