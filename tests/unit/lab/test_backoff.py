"""Restarts of a container that keeps ending."""

from stormlab.node.backoff import RestartBackoff


def test_first_at_once_then_ten_seconds_doubling_to_five_minutes():
    backoff, at, delays = RestartBackoff(), 1000.0, []
    for _ in range(8):
        start = backoff.ended(at)
        delays.append(start - at)
        at = start + 1
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]


def test_ten_quiet_minutes_forget_it():
    backoff = RestartBackoff()
    for at in (0.0, 1.0, 20.0):
        backoff.ended(at)
    assert backoff.ended(619.0) == 619.0 + 40
    assert backoff.ended(619.0 + 601) == 619.0 + 601
