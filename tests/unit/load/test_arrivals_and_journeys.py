"""Schedules and journeys: the statistics they promise, and the same again from the same seed."""

import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pytest

from stormdrill.load.arrivals import poisson, pulse, regular
from stormdrill.load.backoff import delay_s
from stormdrill.load.journey import Journeys, draw_poisson
from stormdrill.population import Population
from stormdrill.profile import App, Business, Customers, Session, Shape

FLAT = (Shape(0, 1),)


def until(schedule: Iterator[float], end_s: float) -> Any:
    return np.array(list(itertools.takewhile(lambda due: due < end_s, schedule)))


def test_poisson_arrivals_have_the_rate_and_the_spread() -> None:
    due = until(poisson(50, FLAT, Random(1)), 400)
    assert abs(len(due) - 20_000) < 4 * 20_000**0.5
    gaps = np.diff(due)
    assert gaps.min() >= 0
    assert gaps.std() / gaps.mean() == pytest.approx(1, abs=0.03)  # exponential: not paced, not bunched
    counts = np.histogram(due, np.arange(401))[0]
    assert counts.var() / counts.mean() == pytest.approx(1, abs=0.25)


def test_the_same_seed_gives_the_same_arrivals() -> None:
    first, again, other = (until(poisson(20, FLAT, Random(seed)), 10) for seed in (3, 3, 4))
    assert first.tolist() == again.tolist() != other.tolist()


def test_arrivals_may_begin_before_the_start() -> None:
    due = until(poisson(20, FLAT, Random(1), -64), 0)
    assert due[0] < -62
    assert abs(len(due) - 64 * 20) < 150


def test_arrivals_follow_a_shape() -> None:
    shape = (Shape(10, 1), Shape(10, 3), Shape(20, 3), Shape(40, 0), Shape(40, 1))
    due = until(poisson(100, shape, Random(5)), 60)
    counts = np.histogram(due, [0, 10, 20, 30, 40, 60])[0]
    expected = np.array([1000, 3000, 2250, 750, 2000])  # level, step up, falling line, its end, level again
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected))


def test_a_shape_that_ends_at_nothing_ends() -> None:
    due = list(poisson(100, (Shape(0, 1), Shape(5, 0)), Random(5)))
    assert 180 < len(due) < 320
    assert max(due) <= 5


def test_probes_are_evenly_spaced() -> None:
    due = until(regular(100, Random(2)), 10)
    assert len(due) == 1000
    assert np.allclose(np.diff(due), 0.01)
    assert 0 <= due[0] < 0.01


def test_a_pulse_stays_in_its_time() -> None:
    due = np.array(list(pulse(300, 25, 20, Random(1))))
    assert abs(len(due) - 6000) < 400
    assert due.min() >= 25
    assert due.max() < 45


def test_journeys_open_as_written_and_then_follow_the_weights() -> None:
    business = Business(1, 1.0, 1, 20, 1, 0, 1)
    session = Session(64, ("login", "balance"), {"bills": 3, "transfer": 1})
    journeys, rng = Journeys(business, session), Random(1)
    drawn = [journeys.draw(rng) for _ in range(3000)]
    assert all([step.operation for step in each[:2]] == ["login", "balance"] for each in drawn)
    assert np.mean([len(each) for each in drawn]) == pytest.approx(20, abs=0.3)
    actions = [step.operation for each in drawn for step in each[2:]]
    assert actions.count("bills") / len(actions) == pytest.approx(0.75, abs=0.01)
    for each in drawn:
        due = [step.after_s for step in each]
        assert due[0] == 0
        gaps = np.diff(due)
        assert np.all(gaps > 0.4 * 64 / len(due))  # a person's pace, never two at once
        assert due[-1] < 64


def test_a_poisson_count_has_its_mean() -> None:
    rng = Random(1)
    counts = [draw_poisson(17, rng) for _ in range(4000)]
    assert np.mean(counts) == pytest.approx(17, abs=0.3)
    assert np.var(counts) == pytest.approx(17, abs=1.5)
    assert {draw_poisson(0, rng) for _ in range(10)} == {0}


def test_back_off_grows_is_spread_and_obeys_retry_after() -> None:
    app = App(1, 3, {}, 3, 0.3, 2, 0.5, 4, 10, 0.3)
    rng = Random(1)
    first, third = ([delay_s(app, n, 0, rng) for _ in range(500)] for n in (1, 3))
    assert 0.15 <= min(first) < 0.18
    assert 0.42 < max(first) <= 0.45
    assert 0.6 <= min(third) < max(third) <= 1.8
    assert delay_s(app, 1, 5, rng) == 5


def test_every_customer_belongs_to_one_cell_and_one_use() -> None:
    population = Population(Customers(1, 1000, 63), 4)
    ranges = [r for cell in range(4) for r in (population.visitors(cell), population.probes(cell))]
    everybody = [customer for each in ranges for customer in each]
    assert sorted(everybody) == list(range(1, 1001))
    assert all(len(each) >= 15 for each in ranges)
