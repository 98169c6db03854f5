"""When demand comes: endless schedules of due times, seeded, that look at no answer.

All times are seconds from the start of the clock and never go back. A schedule holds no list: memory stays
flat however long the load runs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from random import Random

from stormdrill.profile import Shape


def poisson(rate_per_s: float, shape: Sequence[Shape], rng: Random, start_s: float = 0.0) -> Iterator[float]:
    """Independent arrivals whose rate follows `shape`, from `start_s` (which may lie before the start).

    Exact for straight-line shapes: unit-rate arrivals are mapped back through the cumulated rate.
    """
    for segment in _segments(shape, start_s):
        area = segment.area * rate_per_s
        due = rng.expovariate(1.0)  # memoryless: starting anew at a segment's edge changes nothing
        while due < area:
            yield segment.time_at(due / rate_per_s)
            due += rng.expovariate(1.0)


def regular(rate_per_s: float, rng: Random) -> Iterator[float]:
    """Evenly spaced arrivals with a random first one: what a probe wants, its resolution is 1/rate."""
    first = rng.random()
    n = 0
    while True:
        yield (first + n) / rate_per_s
        n += 1


def pulse(rate_per_s: float, from_s: float, for_s: float, rng: Random) -> Iterator[float]:
    """Independent arrivals between `from_s` and `from_s + for_s` only."""
    due = from_s + rng.expovariate(rate_per_s)
    while due < from_s + for_s:
        yield due
        due += rng.expovariate(rate_per_s)


class _Segment:
    """A stretch of time over which the factor goes from `low` to `high` in a straight line."""

    def __init__(self, start_s: float, end_s: float, low: float, high: float) -> None:
        self.start_s, self.low = start_s, low
        self.slope = (high - low) / (end_s - start_s) if math.isfinite(end_s) else 0.0
        self.area = (low + high) / 2 * (end_s - start_s) if math.isfinite(end_s) else math.inf

    def time_at(self, area: float) -> float:
        """The time by which the factor has cumulated to `area`; stable for slopes near 0."""
        root = math.sqrt(max(0.0, self.low * self.low + 2 * self.slope * area))
        return self.start_s + 2 * area / (self.low + root)


def _segments(shape: Sequence[Shape], start_s: float) -> Iterator[_Segment]:
    first, last = shape[0], shape[-1]
    if start_s < first.at_s:
        yield _Segment(start_s, first.at_s, first.factor, first.factor)
    for here, there in itertools.pairwise(shape):
        if there.at_s > here.at_s:
            yield _Segment(here.at_s, there.at_s, here.factor, there.factor)
    if last.factor > 0:
        yield _Segment(max(last.at_s, start_s), math.inf, last.factor, last.factor)
