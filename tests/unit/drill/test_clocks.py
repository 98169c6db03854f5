"""What the history says of Prometheus' clock, in every case."""

from types import SimpleNamespace

import pytest

from stormdrill.drill.clocks import compare_prometheus
from stormdrill.prometheus import Prometheus


def compared(estate, prometheus):
    targets = SimpleNamespace(prometheus=prometheus)
    compare_prometheus(SimpleNamespace(targets=targets, record=estate.record))
    return estate.record.of("prometheus.clock")


def test_its_distance_from_ours_is_recorded(fake, estate):
    fake.behave(clock_s=-3.0)
    (said,) = compared(estate, Prometheus(fake.url))
    assert said["offset_s"] == pytest.approx(-3.0, abs=said["error_s"] + 0.05)
    assert said["why"] == ""


def test_silence_is_recorded_as_not_known(fake, estate):
    fake.behave(prometheus="silent")
    (said,) = compared(estate, Prometheus(fake.url, 0.2))
    assert said["offset_s"] is None
    assert "does not answer" in said["why"]


def test_without_prometheus_nothing_is_said(estate):
    assert compared(estate, None) == []
