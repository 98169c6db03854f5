"""An abort condition trips when it has been broken for its whole grace period, and not before."""

import math

import pytest

from stormdrill.experiment_extension import GUARD_METRICS
from stormdrill.guard import CLIENT_METRICS, Guard
from stormdrill.limit import Limit
from stormdrill.scenario import GuardRule
from stormdrill.units import NS_PER_S

from .seconds import second


def rule(metric="good_ratio", limit=">= 0.5", grace_s=3.0, query=None):
    return GuardRule("served", None if query else metric, query, Limit.parse(limit), grace_s, objective=True)


@pytest.fixture
def reasons():
    return []


def guard(reasons, *rules):
    return Guard(rules, lambda reason, which: reasons.append((reason, which.id)))


def test_every_metric_a_plan_may_name_can_be_computed():
    assert set(CLIENT_METRICS) == set(GUARD_METRICS)
    for name, value in CLIENT_METRICS.items():
        assert isinstance(value(second(1)), int | float), name


def test_it_trips_after_the_grace_period_only(reasons):
    watch = guard(reasons, rule())
    for at_s in (10, 11, 12):
        watch.second(second(at_s, good=10, failed=140))
    assert reasons == []
    watch.second(second(13, good=10, failed=140))
    assert [which for _, which in reasons] == ["served"]
    assert "good_ratio is 0.0666667, must be >= 0.5, for 3 s" in reasons[0][0]


def test_one_good_second_starts_the_grace_period_anew(reasons):
    watch = guard(reasons, rule())
    for at_s in (10, 11, 12):
        watch.second(second(at_s, good=10))
    watch.second(second(13))
    for at_s in (14, 15, 16):
        watch.second(second(at_s, good=10))
    assert reasons == []


def test_seconds_without_a_value_neither_start_nor_end_a_breach(reasons):
    watch = guard(reasons, rule())
    watch.second(second(10, good=10))
    watch.second(second(11, offered=0, good=0))
    watch.second(second(13, good=10))
    assert len(reasons) == 1


def test_no_grace_trips_at_once(reasons):
    guard(reasons, rule(limit="<= 100", metric="p99_ms", grace_s=0)).second(second(10, p99_ms=101))
    assert len(reasons) == 1


def test_queries_are_fed_from_outside(reasons):
    asked = rule(query="max(queue)", limit="<= 5", grace_s=1)
    watch = guard(reasons, asked, rule())
    assert watch.queries == [asked]
    watch.second(second(10, good=0))
    for at_s, value in ((10, 9.0), (10.5, None), (10.8, math.nan), (11.2, 9.0)):
        watch.sample(asked, int(at_s * NS_PER_S), value)
    assert len(reasons) == 1
    assert "max(queue)" in reasons[0][0]
