"""Rolling out a template: however pods come and go, the limits hold and the end is reached."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormlab.controllers.rollout import Limits, Size, limits, recreate, rolling


@pytest.mark.parametrize(
    ("replicas", "rolling_update", "wanted"),
    [
        (4, {"maxSurge": "25%", "maxUnavailable": "25%"}, Limits(1, 1)),
        (2, {"maxSurge": "25%", "maxUnavailable": "25%"}, Limits(1, 0)),
        (3, {"maxSurge": 0, "maxUnavailable": 2}, Limits(0, 2)),
        (1, {"maxSurge": "0%", "maxUnavailable": "10%"}, Limits(0, 1)),
    ],
)
def test_limits(replicas, rolling_update, wanted):
    assert limits({"type": "RollingUpdate", "rollingUpdate": rolling_update}, replicas) == wanted


def test_recreate_waits_until_no_old_pod_exists():
    assert recreate(3, [Size(3, 3, 3)]) == (0, [0])
    assert recreate(3, [Size(0, 0, 1)]) == (0, [0])
    assert recreate(3, [Size(0, 0, 0)]) == (3, [0])


def test_new_pods_that_are_not_up_yet_hold_back_the_old_ones():
    # Four wanted, none may be missing: two new ones are starting, two of four old ones are down.
    assert rolling(4, Limits(2, 0), Size(2, 0), [Size(4, 2)]) == (2, [4])
    # One new one is up: one that serves nobody may go.
    assert rolling(4, Limits(2, 0), Size(2, 1), [Size(4, 2)]) == (2, [3])


@given(
    st.integers(0, 8),
    st.integers(0, 4),
    st.integers(0, 4),
    st.lists(st.integers(0, 4), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_a_rollout_ends_within_its_limits(replicas, surge, unavailable, old_sizes, random):
    allowed = Limits(surge, unavailable if surge or unavailable else 1)
    wanted, old = 0, list(old_sizes)
    new_available, old_available = 0, list(old_sizes)
    started = sum(old)
    for _ in range(200):
        new = Size(wanted, new_available)
        sizes = [Size(count, up) for count, up in zip(old, old_available, strict=True)]
        target, targets = rolling(replicas, allowed, new, sizes)
        before = new_available + sum(old_available)
        assert all(0 <= after <= size.wanted for after, size in zip(targets, sizes, strict=True))
        # Never more than wanted and surge, unless there were more to begin with.
        assert target + sum(targets) <= max(replicas + surge, started, wanted + sum(old))
        wanted, old = target, targets
        old_available = [min(up, count) for up, count in zip(old_available, old, strict=True)]
        new_available = min(new_available, wanted)
        # Scaling down alone never takes more away than may be missing.
        assert new_available + sum(old_available) >= min(before, replicas - allowed.unavailable)
        if new_available < wanted and random.random() < 0.7:
            new_available += 1
        if wanted == replicas == new_available and not any(old):
            return
    raise AssertionError((wanted, new_available, old))
