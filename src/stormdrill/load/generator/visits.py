"""Sessions as planned: who comes when and means to do what, drawn by the seed before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from stormdrill.demand import demand
from stormdrill.load.arrivals import poisson
from stormdrill.load.config import LoadConfig
from stormdrill.load.journey import Journeys


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of one session; `due_s` from the start of the clock, `operation` as the legend numbers it."""

    operation: int
    due_s: float


@dataclass(frozen=True, slots=True)
class Visit:
    """One session. `came_s` below 0: it was in progress when the clock started."""

    number: int
    came_s: float
    cell: int
    steps: tuple[PlannedStep, ...]


def visits(config: LoadConfig) -> Iterator[Visit]:
    """Every session of a profile in order of arrival; none for a profile without sessions.

    The first ones come one session length before the start, so that the load is at its full rate at once.
    """
    profile = config.profile
    if profile.business is None or profile.session is None:
        return
    journeys = Journeys(profile.business, profile.session)
    rate_per_s = demand(profile).sessions_per_s
    numbers = {operation.name: index for index, operation in enumerate(config.operations)}
    came = poisson(rate_per_s, profile.shape, Random(f"{config.seed}/sessions"), -profile.session.length_s)
    for number, came_s in enumerate(came, 1):
        rng = Random(f"{config.seed}/session/{number}")
        cell = rng.randrange(len(config.cells))
        steps = (PlannedStep(numbers[step.operation], came_s + step.after_s) for step in journeys.draw(rng))
        yield Visit(number, came_s, cell, tuple(step for step in steps if step.due_s >= 0))
