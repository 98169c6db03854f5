"""When the drill stops waiting: only when the last whole seconds after the fault are as good as normal."""

from stormdrill.drill.recovery import HOLD_S, Baseline, baseline, recovered
from stormdrill.units import NS_PER_S

from .seconds import second

NORMAL = Baseline(good_per_s=150.0, bad_ratio=0.0)
T0_NS = 100 * NS_PER_S


def run_of(*, first=101, count=HOLD_S, **each):
    return [second(first + i, **each) for i in range(count)]


def test_normal_is_the_mean_of_the_steady_seconds():
    assert baseline(
        [second(1, good=140, offered=150, failed=10), second(2, good=160, offered=160)]
    ) == Baseline(150.0, 10 / 310)
    assert baseline([]) == Baseline(0.0, 0.0)


def test_good_seconds_are_recovery():
    assert recovered(run_of(), T0_NS, NORMAL)


def test_too_few_seconds_are_not():
    assert not recovered(run_of(count=HOLD_S - 1), T0_NS, NORMAL)


def test_seconds_before_or_across_the_fault_do_not_count():
    assert not recovered(run_of(first=97), T0_NS, NORMAL)
    straddling = [second(100.5), *run_of(first=101, count=HOLD_S - 1)]
    assert not recovered(straddling, T0_NS, NORMAL)


def test_only_the_newest_seconds_count():
    assert recovered([*run_of(good=0, failed=150, count=4), *run_of(first=105)], T0_NS, NORMAL)
    assert not recovered([*run_of(), second(104, good=0, failed=150)], T0_NS, NORMAL)


def test_hurt_customers_are_no_recovery():
    for kind in ("failed", "unknown", "dropped"):
        assert not recovered(run_of(good=145, **{kind: 5}), T0_NS, NORMAL), kind


def test_steps_of_sessions_that_ended_in_the_outage_are_not_held_against_the_bank_now():
    assert recovered(run_of(good=110, blocked=40), T0_NS, NORMAL)
    assert not recovered(run_of(good=80, blocked=40), T0_NS, NORMAL)


def test_what_was_hurt_anyway_is_allowed_twice():
    assert recovered(run_of(good=145, failed=5), T0_NS, Baseline(150.0, 0.02))


def test_missing_goodput_is_no_recovery_even_when_nothing_failed_yet():
    assert not recovered(run_of(good=100), T0_NS, NORMAL)


def test_shedding_instead_of_serving_is_no_recovery():
    assert not recovered(run_of(good=100, shed=50), T0_NS, NORMAL)


def test_one_operation_that_is_down_is_no_recovery():
    ops = {"balance": (149, 149, 0), "transfer": (1, 0, 1)}
    assert not recovered(run_of(good=149, ops=ops), T0_NS, NORMAL)
    ops = {"balance": (140, 140, 0), "transfer": (10, 10, 0)}
    assert recovered(run_of(ops=ops), T0_NS, NORMAL)


def test_no_goodput_at_all_is_never_recovery():
    assert not recovered(run_of(offered=0, good=0), T0_NS, Baseline(0.0, 0.0))
