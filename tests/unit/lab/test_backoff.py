"""Restarts of a container that keeps ending."""

import pytest

from stormlab.node.backoff import RestartBackoff


def delays_of(backoff: RestartBackoff, ends: int, at: float = 1000.0) -> list[float]:
    """How long it waits after each of `ends` ends, one second after its start each."""
    delays = []
    for _ in range(ends):
        start = backoff.ended(at)
        delays.append(start - at)
        at = start + 1
    return delays


def test_first_at_once_then_ten_seconds_doubling_to_five_minutes():
    assert delays_of(RestartBackoff(), 8) == [0, 10, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize(
    ("longest_s", "delays"),
    [(5.0, [0, 5, 5, 5]), (10.0, [0, 10, 10, 10]), (25.0, [0, 10, 20, 25]), (1.0, [0, 1, 1, 1])],
)
def test_no_wait_is_longer_than_the_longest(longest_s, delays):
    assert delays_of(RestartBackoff(longest_s), 4) == delays


@pytest.mark.parametrize(("longest_s", "grown_s"), [(300.0, 40), (5.0, 5)])
def test_ten_quiet_minutes_forget_it(longest_s, grown_s):
    backoff = RestartBackoff(longest_s)
    for at in (0.0, 1.0, 20.0):
        backoff.ended(at)
    assert backoff.ended(619.0) == 619.0 + grown_s
    assert backoff.ended(619.0 + 601) == 619.0 + 601
