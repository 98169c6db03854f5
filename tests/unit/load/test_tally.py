"""Counts, seconds cut from them, the loop's pulse, and the words on the wire."""

import json
import os
import threading
import time
from random import Random

import numpy as np
import pytest

from stormdrill.load.channel import Channel
from stormdrill.load.histogram import Histogram, quantile_ms
from stormdrill.load.keeper import BEAT_S, Pulse
from stormdrill.load.live import LoadSecond, OperationSecond
from stormdrill.load.tally import Tally
from stormdrill.records.layout import Outcome
from stormdrill.units import NS_PER_S

START = 1_000 * NS_PER_S


def at(seconds: float) -> int:
    return START + int(seconds * NS_PER_S)


def test_quantiles_are_within_six_percent() -> None:
    rng, histogram = Random(1), Histogram()
    values_ns = [int(rng.lognormvariate(16, 1.5)) for _ in range(20_000)]
    for value in values_ns:
        histogram.add(value)
    for q in (0.5, 0.99):
        truth = float(np.quantile(values_ns, q)) / 1e6
        assert quantile_ms(histogram.counts, q) == pytest.approx(truth, rel=0.07)


@pytest.mark.parametrize("us", [0, 1, 15, 16, 17, 31, 32, 33, 1000, 123_456, 10**9])
def test_one_duration_is_its_own_quantile(us: int) -> None:
    histogram = Histogram()
    histogram.add(us * 1000)
    assert us / 1000 <= quantile_ms(histogram.counts, 0.99) <= us / 1000 * 1.07 + 0.001


def test_extremes_do_not_break_it() -> None:
    histogram = Histogram()
    histogram.add(-5)
    histogram.add(2**80)
    assert sum(histogram.counts) == 2
    assert quantile_ms([0] * 10, 0.5) == 0


def test_demand_is_reported_in_its_own_second_and_ends_when_they_end() -> None:
    tally = Tally(["a", "b"], START)
    tally.planned(0, at(0.5))
    tally.planned(1, at(1.5))
    tally.planned(1, at(9.5))
    tally.sent(1_000_000)
    first = tally.cut(at(1.01), 0)
    assert (first.offered, first.inflight, first.good) == (1, 1, 0)
    tally.answered()
    tally.ended(0, Outcome.GOOD, 700_000_000, final=True)
    tally.ended(1, Outcome.SHED, 10_000_000, final=False)
    second = tally.cut(at(2.01), 3.04)
    assert (second.offered, second.good, second.shed, second.retried, second.inflight) == (1, 1, 0, 1, 0)
    assert second.by_operation == {"a": OperationSecond(0, 1, 0), "b": OperationSecond(1, 0, 0)}
    assert (second.span_ms, second.loop_stall_ms, second.t_ns) == (1000, 3.0, at(2.01))
    assert 700 <= second.p99_ms < 745
    assert 1 <= first.lateness_p99_ms < 1.1


def test_late_planning_is_counted_when_it_comes() -> None:
    tally = Tally(["a"], START)
    tally.cut(at(5), 0)
    tally.planned(0, at(2))
    assert tally.cut(at(6), 0).offered == 1


def test_what_is_not_due_at_the_end_is_not_offered() -> None:
    tally = Tally(["a"], START)
    for due in (0.2, 2.2, 2.8, 3.5, 7.0):
        tally.planned(0, at(due))
    assert tally.cut(at(1.0), 0).offered == 1
    tally.close(at(2.5))
    assert tally.cut(at(3.6), 0).offered == 0  # the drain: nothing falls due any more
    tally.withdraw(0, at(2.8))
    tally.withdraw(0, at(3.5))
    tally.withdraw(0, at(7.0))
    assert tally.cut(at(4.5), 0, end=True).offered == 1


def test_counts_survive_a_reader_in_another_thread() -> None:
    tally = Tally(["a"], time.monotonic_ns() - 10 * NS_PER_S)
    lines: list[LoadSecond] = []
    done = threading.Event()

    def cut() -> None:
        while not done.is_set():
            lines.append(tally.cut(time.monotonic_ns(), 0))

    reader = threading.Thread(target=cut)
    reader.start()
    for n in range(20_000):
        tally.planned(0, time.monotonic_ns())
        tally.ended(0, Outcome.GOOD, 1000 * n, final=True)
    done.set()
    reader.join()
    tally.close(time.monotonic_ns())
    lines.append(tally.cut(time.monotonic_ns(), 0, end=True))
    assert sum(line.offered for line in lines) == 20_000
    assert sum(line.good for line in lines) == 20_000


def test_a_second_survives_its_json() -> None:
    tally = Tally(["a"], START)
    tally.planned(0, at(0.1))
    line = tally.cut(at(1), 0.5)
    assert LoadSecond.from_json(json.loads(line.line())) == line


def test_a_silence_is_reported_once_and_while_it_lasts() -> None:
    pulse = Pulse()
    pulse.beat()
    threading.Event().wait(0.3)
    while_it_lasts = pulse.take_stall_ms()
    assert while_it_lasts > 250
    pulse.beat()
    assert pulse.take_stall_ms() < 100  # the same silence is not told twice
    threading.Event().wait(0.2)
    pulse.beat()
    assert pulse.take_stall_ms() > 150
    assert BEAT_S == 0.02


def test_a_parent_that_does_not_read_is_not_waited_for_and_one_that_is_gone_is_noticed() -> None:
    gone: list[int] = []
    reading, writing = os.pipe()
    channel = Channel(writing, threading.Lock(), lambda: gone.append(1))
    for n in range(3000):
        channel.say({"n": n, "filler": "x" * 500})
    assert not gone
    os.set_blocking(reading, False)
    assert os.read(reading, 100).startswith(b'{"n":0,')
    os.close(reading)
    channel.say({"n": 1})
    assert gone
    os.close(writing)
    Channel(-1, threading.Lock(), lambda: gone.append(2)).say({})
    assert 2 not in gone
