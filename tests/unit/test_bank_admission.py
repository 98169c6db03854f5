"""Flow control as arithmetic: thresholds, the order of giving up, token buckets on a clock of our own."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormbank.admission import HIGHWATER_S, Admission, TokenBucket, thresholds
from stormbank.problem import Shed

SHARES = {"A": 1.0, "B": 0.7, "C": 0.5}
WIDE = dict.fromkeys("ABC", 1e9)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def fill(admission: Admission, tier: str) -> int:
    """Let in as many as there is room for; say how many."""
    before = admission.inflight
    with contextlib.suppress(Shed):
        for _ in range(1000):
            admission.enter(tier)
    return admission.inflight - before


def test_the_largest_share_goes_to_the_most_important_tier():
    assert thresholds(20, ("A", "B", "C"), SHARES) == {"A": 20, "B": 14, "C": 10}
    assert thresholds(20, ("C", "B", "A"), SHARES) == {"C": 20, "B": 14, "A": 10}
    assert thresholds(1, ("A", "B", "C"), SHARES) == {"A": 1, "B": 1, "C": 1}


def test_each_tier_stops_at_its_share_of_everything_in_flight():
    admission = Admission(20, ("A", "B", "C"), SHARES, WIDE)
    assert [fill(admission, tier) for tier in ("C", "B", "A2", "A1", "B", "C")] == [10, 4, 6, 0, 0, 0]
    admission.leave()
    assert [fill(admission, tier) for tier in ("C", "B", "A1")] == [0, 0, 1]
    with pytest.raises(Shed) as shed:
        admission.enter("A1")
    assert shed.value.fields == {"error": "shed", "reason": "overload", "tier": "A1"}


def test_a_tier_may_be_told_apart_from_its_letter():
    order, shares = ("A1", "A2", "B", "C"), {"A1": 1.0, "A2": 0.9, "B": 0.5, "C": 0.2}
    admission = Admission(10, order, shares, dict.fromkeys(order, 1e9))
    assert [fill(admission, tier) for tier in ("C", "B", "A2", "A1")] == [2, 3, 4, 1]


def test_highwater_is_that_of_the_last_seconds_however_often_it_is_read():
    clock = Clock()
    admission = Admission(20, ("A", "B", "C"), SHARES, WIDE, clock=clock)
    for _ in range(7):
        admission.enter("A1")
    for _ in range(6):
        admission.leave()
    assert [admission.highwater(), admission.highwater()] == [7, 7]
    clock.now_s += HIGHWATER_S - 1
    admission.enter("A1")
    clock.now_s += 1
    assert admission.highwater() == 7
    clock.now_s += 0.1
    assert admission.highwater() == 2
    clock.now_s += 3600
    assert admission.highwater() == 2, "both are still in flight"


@given(st.lists(st.tuples(st.sampled_from(["enter", "leave", "wait"]), st.floats(0, 3)), max_size=80))
def test_highwater_is_what_remembering_everything_would_say(steps):
    clock = Clock()
    admission = Admission(20, ("A", "B", "C"), SHARES, WIDE, clock=clock)
    seen = []
    for what, step_s in steps:
        if what == "wait":
            clock.now_s += step_s
        elif what == "leave" and admission.inflight:
            admission.leave()
        elif what == "enter" and admission.inflight < 20:
            admission.enter("A1")
            seen.append((clock.now_s, admission.inflight))
        recent = [count for at_s, count in seen if at_s >= clock.now_s - HIGHWATER_S]
        assert admission.highwater() == max([admission.inflight, *recent])
        assert len(admission._peaks) <= 20


def test_a_bucket_holds_its_rate_and_half_a_second_of_burst():
    clock = Clock()
    bucket = TokenBucket(8, clock=clock)
    assert [bucket.take() for _ in range(5)] == [0, 0, 0, 0, 0.125]
    clock.now_s += 0.125
    assert [bucket.take(), bucket.take()] == [0, 0.125]
    clock.now_s += 3600
    assert [bucket.take() for _ in range(5)] == [0, 0, 0, 0, 0.125]


def test_overload_costs_no_tokens_and_rate_no_room():
    clock = Clock()
    admission = Admission(4, ("A", "B", "C"), SHARES, {"A": 1e9, "B": 1e9, "C": 2.0}, clock=clock)
    for tier in "AA":
        admission.enter(tier)
    with pytest.raises(Shed, match="overload"):
        admission.enter("C")
    admission.leave()
    admission.enter("C")
    admission.leave()
    with pytest.raises(Shed, match="rate") as shed:
        admission.enter("C")
    assert shed.value.retry_after_s == 1
    assert admission.inflight == 1


@given(
    rate=st.floats(0.5, 500),
    gaps=st.lists(st.floats(0, 2), min_size=1, max_size=60),
)
def test_no_window_lets_in_more_than_rate_and_burst(rate, gaps):
    clock = Clock()
    bucket = TokenBucket(rate, clock=clock)
    taken_at_s = []
    for gap in gaps:
        clock.now_s += gap
        if bucket.take() == 0.0:
            taken_at_s.append(clock.now_s)
    for first, start_s in enumerate(taken_at_s):
        for last in range(first, len(taken_at_s)):
            allowed = max(1.0, rate * 0.5) + (taken_at_s[last] - start_s) * rate
            assert last - first + 1 <= allowed + 1e-6
