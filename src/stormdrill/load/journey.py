"""What one customer means to do in one use of the app: steps with planned due times, decided at arrival."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from stormdrill.profile import Business, Session

_SPREAD = 0.25  # of the distance between two steps, to either side


@dataclass(frozen=True)
class Step:
    """One call of the app: which operation, and when after the arrival it is due."""

    operation: str
    after_s: float


class Journeys:
    """Draws journeys: the opening steps in order, then actions by weight, `calls_per_use` in the mean."""

    def __init__(self, business: Business, session: Session) -> None:
        self._opening = session.opening
        self._length_s = session.length_s
        self._further = business.calls_per_use - len(session.opening)
        self._names, self._cumulated = _cumulated(session.actions)

    def draw(self, rng: Random) -> tuple[Step, ...]:
        """One journey. The first step is due at once; the others follow at a person's pace."""
        actions = rng.choices(self._names, cum_weights=self._cumulated, k=draw_poisson(self._further, rng))
        operations = (*self._opening, *actions)
        pace_s = self._length_s / len(operations)
        return tuple(
            Step(operation, (n + rng.uniform(-_SPREAD, _SPREAD)) * pace_s if n else 0.0)
            for n, operation in enumerate(operations)
        )


def draw_poisson(mean: float, rng: Random) -> int:
    """A Poisson-distributed count (Knuth's method; `mean` up to some hundreds)."""
    threshold, product = math.exp(-mean), rng.random()
    count = 0
    while product > threshold:
        product *= rng.random()
        count += 1
    return count


def _cumulated(weights: Mapping[str, float]) -> tuple[list[str], list[float]]:
    return list(weights), list(itertools.accumulate(weights.values()))
