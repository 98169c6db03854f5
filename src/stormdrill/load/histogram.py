"""Durations counted in buckets that widen with the value: quantiles within 6 %, memory that never grows."""

from __future__ import annotations

from collections.abc import Sequence

_SUB = 4  # 2**4 buckets for each doubling
_BUCKETS = 40 << _SUB  # up to 2**43 us


class Histogram:
    """Counts of durations; only ever added to. A reader takes differences of `counts`."""

    def __init__(self) -> None:
        self.counts = [0] * _BUCKETS

    def add(self, duration_ns: int) -> None:
        """Count one duration; below 0 counts as 0."""
        us = max(0, duration_ns // 1000)
        shift = max(0, us.bit_length() - _SUB - 1)
        self.counts[min(_BUCKETS - 1, (shift << _SUB) + (us >> shift))] += 1


def quantile_ms(counts: Sequence[int], q: float) -> float:
    """The q-quantile of bucket counts in milliseconds (its bucket's upper end); 0.0 without any."""
    rank = q * sum(counts)
    seen = 0
    for index, count in enumerate(counts):
        seen += count
        if count and seen >= rank:
            shift = max(0, (index >> _SUB) - 1)
            return ((index - (shift << _SUB) + 1) << shift) / 1000
    return 0.0
