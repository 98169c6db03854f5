"""What the limit is made of: waiting measured, the shortest latency, and the tightest admission of late."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stormbank.flow.adaptive import AdaptiveLimit, AdaptiveRules
from stormbank.flow.highwater import HIGHWATER_S, Highwater, Tightest
from stormbank.flow.latency import RISE, WINDOW_S, WINDOWS, MinimumLatency


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def step(limit, clock, *, took_s, queue_s, answers=50, wanted=True):
    """Let one second of answers pass."""
    for _ in range(answers):
        clock.now_s += 1 / answers
        limit.asked(limit.value if wanted else 0, refused=False)
        limit.answered(took_s, queue_s)


def test_the_limit_falls_while_many_wait_and_rises_again_to_where_it_was():
    clock = Clock()
    limit = AdaptiveLimit(AdaptiveRules(low=6, high=48, queued=8), clock=clock)
    assert limit.value == 4 * 8, "too few to bury anybody, before anything is known"
    for _ in range(20):
        step(limit, clock, took_s=0.6, queue_s=0.55)
    assert limit.value == 6
    for _ in range(3):
        step(limit, clock, took_s=0.05, queue_s=0.0)
    assert limit.value == 48, "full capacity is let in again within seconds"


def test_a_limit_that_nobody_comes_near_stays():
    clock = Clock()
    limit = AdaptiveLimit(AdaptiveRules(low=6, high=48, queued=8), clock=clock)
    for _ in range(20):
        step(limit, clock, took_s=0.6, queue_s=0.55)
    for _ in range(20):
        step(limit, clock, took_s=0.05, queue_s=0.0, wanted=False)
    assert limit.value == 6
    limit.asked(1, refused=True)
    step(limit, clock, took_s=0.05, queue_s=0.0, wanted=False)
    assert limit.value > 6, "refused in an empty room is a reason to make it larger"


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5), st.floats(0, 2), st.booleans()), max_size=300),
    st.integers(1, 10),
)
def test_whatever_is_measured_the_limit_stays_within_its_bounds(answers, low):
    clock = Clock()
    limit = AdaptiveLimit(AdaptiveRules(low=low, high=low + 30, queued=4), clock=clock)
    for took_s, queue_s, passes_s, refused in answers:
        clock.now_s += passes_s
        before = limit.value
        limit.asked(3, refused=refused)
        limit.answered(took_s, queue_s)
        assert low <= limit.value <= low + 30
        assert limit.value >= int(before * 0.6) - 1, "no step takes more than two fifths"


def test_the_shortest_latency_falls_at_once_and_a_stall_does_not_move_it():
    clock = Clock()
    minimum = MinimumLatency(clock=clock)
    assert minimum.value_s is None
    for _ in range(600):
        clock.now_s += 0.1
        minimum.observe(0.02)
    # A failover: for 25 s every answer takes a second or more.
    for _ in range(250):
        clock.now_s += 0.1
        minimum.observe(1.0)
        assert minimum.value_s < 0.02 * RISE * 1.01
    minimum.observe(0.02)
    assert minimum.value_s == 0.02


def test_a_latency_that_has_truly_changed_is_learnt():
    clock = Clock()
    minimum = MinimumLatency(clock=clock)
    for _ in range(100):
        clock.now_s += 0.1
        minimum.observe(0.02)
    seconds = 0.0
    while minimum.value_s < 0.04:
        clock.now_s += 0.1
        seconds += 0.1
        minimum.observe(0.04)
        assert seconds < 70
    assert seconds > WINDOW_S * (WINDOWS - 1)
    clock.now_s += 60
    minimum.observe(0.09)
    assert minimum.value_s <= 0.04 * RISE, "nothing was measured meanwhile, so nothing is known"


@given(st.lists(st.tuples(st.floats(0.001, 3), st.floats(0, 3)), min_size=1, max_size=200))
def test_the_minimum_is_something_that_was_measured_or_below(samples):
    clock = Clock()
    minimum = MinimumLatency(clock=clock)
    seen = []
    for took_s, passes_s in samples:
        clock.now_s += passes_s
        minimum.observe(took_s)
        seen.append(took_s)
        assert min(seen) <= minimum.value_s <= max(seen)
        assert minimum.value_s <= took_s


def test_what_is_in_flight_is_held_against_the_limit_that_let_it_in():
    clock = Clock()
    highwater = Highwater(48, clock=clock)
    assert highwater.tightest() == Tightest(-48, 0)
    for inflight in range(1, 41):
        highwater.admitted(inflight, 48)
    # The limit falls to 20 while forty are in flight, and some leave before the next one comes in.
    highwater.admitted(15, 20)
    assert (highwater.tightest().inflight, highwater.tightest().limit) == (15, 20)
    clock.now_s += HIGHWATER_S + 0.1
    assert (highwater.tightest().inflight, highwater.tightest().limit) == (15, 20), "the last one stays"


def test_one_let_in_above_the_limit_shows():
    clock = Clock()
    highwater = Highwater(48, clock=clock)
    highwater.admitted(48, 48)
    highwater.admitted(21, 20)
    for _ in range(100):
        highwater.admitted(3, 48)
    assert highwater.tightest().over == 1


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 50), st.floats(0, 3)), min_size=1, max_size=80))
def test_the_tightest_is_what_remembering_everything_would_say(steps):
    clock = Clock()
    highwater = Highwater(50, clock=clock)
    seen = []
    for inflight, limit, passes_s in steps:
        clock.now_s += passes_s
        highwater.admitted(inflight, limit)
        seen.append((clock.now_s, Tightest(inflight - limit, inflight)))
        recent = [each for at_s, each in seen if at_s >= clock.now_s - HIGHWATER_S]
        assert highwater.tightest() == max(recent)
        assert highwater.tightest().limit in {each[1] for each in steps}
