"""Counters, assertions and the order of shedding from stored samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormdrill.limit import Limit
from stormdrill.measure.asserted import asserted
from stormdrill.measure.chronicle import Chronicle, Phase
from stormdrill.measure.flow import FlowSeries, flow
from stormdrill.measure.series import Line, Series, increments
from stormdrill.measure.values import Asserted, Flow
from stormdrill.scenario import Aggregate, Assertion

S = 1_000_000_000
STORY = Chronicle(
    events=(),
    phases=(Phase("steady", 0, 100 * S), Phase("settle", 100 * S, 200 * S)),
    faults=(),
    origin_ns=0,
    t0_ns=20 * S,
    end_ns=200 * S,
    watched_end_ns=200 * S,
    load_end_ns=None,
    wall_offset_ns=0,
    wall_spread_s=0.0,
)


def line(values: list[float], start_s: int = 0, **labels: str) -> Line:
    t_ns = (np.arange(len(values)) + start_s) * S
    return Line(labels, t_ns, np.array(values, float))


def series(*lines: Line, fetched: bool = True) -> Series:
    return Series("q", fetched, "" if fetched else "refused", 1.0, 0, lines)


@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=8), min_size=1, max_size=5))
def test_growth_survives_restarts(lives: list[list[int]]) -> None:
    values, total, last = [], 0, None
    for life in lives:
        level = 0
        for step in life:
            level += step
            values.append(float(level))
        # A restart can be seen only when the counter falls below where it stood.
        if last is not None and life and float(life[0]) >= last:
            return
        total += level - (life[0] if last is None else 0)
        last = float(level)
    _, grown = increments(series(), line(values))
    assert grown.sum() == total


def test_a_counter_that_appears_later_began_at_zero() -> None:
    _, grown = increments(series(), line([7.0, 9.0], start_s=30))
    assert grown.tolist() == [7.0, 2.0]
    _, grown = increments(series(), line([7.0, 9.0]))
    assert grown.tolist() == [0.0, 2.0]


def test_missing_samples_do_not_lose_growth() -> None:
    _, grown = increments(series(), line([1.0, math.nan, 5.0]))
    assert grown.tolist() == [0.0, 4.0]


def claim(
    found: Series | None, limit: str = "<= 5", aggregate: str = "max", phases: tuple[str, ...] = ("steady",)
) -> Asserted:
    return asserted(Assertion("x", "q", phases, Aggregate(aggregate), Limit.parse(limit), 10), found, STORY)


def test_the_worst_series_decides() -> None:
    found = claim(series(line([1.0] * 20, pod="a"), line([9.0] + [1.0] * 19, pod="b")))
    assert (found.holds, found.value, found.worst) == (False, 9.0, '{pod="b"}')
    found = claim(series(line([1.0] * 20, pod="a"), line([9.0] * 20, pod="b")), limit=">= 3", aggregate="min")
    assert (found.holds, found.value) == (False, 1.0)


def test_the_poorest_series_counts_the_samples() -> None:
    assert claim(series(line([1.0] * 20, pod="a"), line([1.0] * 3, pod="b"))).samples == 3


def test_nan_is_no_sample_and_no_value() -> None:
    found = claim(series(line([math.nan] * 20)))
    assert (found.value, found.holds, found.samples, found.empty) == (None, None, 0, 20)


@pytest.mark.parametrize(
    ("found", "phases", "says"),
    [
        (None, ("steady",), "no samples were stored"),
        (series(fetched=False), ("steady",), "did not answer: refused"),
    ],
)
def test_why_there_is_nothing(found: Series | None, phases: tuple[str, ...], says: str) -> None:
    result = claim(found, phases=phases)
    assert says in result.problem
    assert result.value is None


BOTH = ("steady", "settle")


def test_only_the_named_phases_count() -> None:
    values = [1.0] * 100 + [50.0] * 100
    assert claim(series(line(values))).value == 1.0
    assert claim(series(line(values)), phases=BOTH).value == 50.0


@pytest.mark.parametrize("aggregate", ["mean", "last", "max", "min"])
def test_a_good_phase_does_not_make_up_for_a_bad_one(aggregate: str) -> None:
    found = claim(series(line([9.0] * 5 + [math.nan] * 95 + [0.0] * 100)), phases=BOTH, aggregate=aggregate)
    assert (found.value, found.holds, found.worst_phase) == (9.0, False, "steady")


def test_a_rich_phase_lends_a_poor_one_no_samples() -> None:
    found = claim(series(line([1.0] * 103)), phases=BOTH)
    assert (found.samples, found.missing) == (3, ())


@pytest.mark.parametrize("phases", [("steady", "settle"), ("steady", "recover")])
def test_a_phase_without_a_sample_is_named(phases: tuple[str, ...]) -> None:
    found = claim(series(line([1.0] * 100)), phases=phases)
    assert (found.value, found.samples, found.missing) == (1.0, 0, phases[1:])


def gateway(sheds: dict[str, float], demand: dict[str, float]) -> Flow:
    """Rates a second of one gateway for 100 s."""
    shed = [line([rate * s for s in range(100)], pod="g", tier=tier) for tier, rate in sheds.items()]
    admitted = [
        line([(rate - sheds.get(tier, 0)) * s for s in range(100)], pod="g", tier=tier)
        for tier, rate in demand.items()
    ]
    found = FlowSeries(series(*shed), series(*admitted), None, None)
    return flow(found, ("A", "B", "C"), 50, STORY, demand=None, attempts=None)


def test_giving_up_the_important_first_is_an_inversion() -> None:
    found = gateway({"A1": 30, "B": 3}, {"A1": 60, "B": 60})
    assert found.bins == 10
    assert len(found.inversions) == 10
    assert (found.inversions[0].important, found.inversions[0].lesser) == ("A", "B")


def test_the_right_order_has_none() -> None:
    found = gateway({"A1": 1, "B": 20, "C": 50}, {"A1": 60, "B": 60, "C": 60})
    assert (found.bins, found.inversions) == (10, ())


def test_a_difference_within_noise_is_none() -> None:
    assert gateway({"A1": 3.4, "B": 3}, {"A1": 12, "B": 12}).inversions == ()


def test_a_tier_without_demand_is_not_compared() -> None:
    found = gateway({"A1": 30}, {"A1": 60, "B": 0.5})
    assert (found.bins, found.inversions) == (0, ())


def test_too_few_sheds_are_not_judged() -> None:
    assert gateway({"A1": 4}, {"A1": 60, "B": 60}).bins == 0


def test_without_series_nothing_is_measured() -> None:
    found = flow(FlowSeries(None, None, None, None), ("A", "B"), 50, STORY, demand=None, attempts=None)
    assert not found.measured
    assert "shed_by_tier" in found.why
