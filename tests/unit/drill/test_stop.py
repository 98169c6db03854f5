"""The first reason is kept, every wait ends on it, and a signal handler may ask at any moment."""

import os
import signal
import threading
import time

import pytest

from stormdrill.cli.signals import stopping
from stormdrill.drill.stop import Stop
from stormdrill.errors import Aborted, DeadlineError


def test_the_first_reason_is_kept():
    stop = Stop()
    stop.request("p99 too long", "guard", objective=True)
    stop.request("Ctrl-C", "signal")
    assert stop.cause is not None
    assert (stop.cause.reason, stop.cause.by, stop.cause.objective) == ("p99 too long", "guard", True)
    with pytest.raises(Aborted, match="p99 too long"):
        stop.check()


@pytest.mark.parametrize(
    ("by", "aborted"), [("guard", True), ("signal", True), ("user", True), ("drill", False)]
)
def test_a_cut_is_not_an_abort(by, aborted):
    stop = Stop()
    stop.request("why", by)
    assert stop.cause is not None
    assert stop.cause.aborted is aborted


@pytest.mark.parametrize("by", ["drill", "guard"])
def test_a_cut_and_a_guard_end_only_their_own_drill(by):
    above = Stop()
    first, second = Stop(above), Stop(above)
    first.request("the load died", by)
    assert first.cause is not None
    assert first.cause.by == by
    assert above.cause is None
    second.check()


@pytest.mark.parametrize("by", ["signal", "user"])
def test_a_person_ends_every_drill(by):
    above = Stop()
    Stop(above).request("Ctrl-C", by)
    with pytest.raises(Aborted, match="Ctrl-C"):
        Stop(above).check()


def test_the_first_reason_is_kept_wherever_it_was_given():
    above = Stop()
    own = Stop(above)
    above.request("Ctrl-C", "signal")
    own.request("the load died", "drill")
    assert own.cause is not None
    assert own.cause.aborted
    above = Stop()
    own = Stop(above)
    own.request("the load died", "drill")
    above.request("Ctrl-C", "signal")
    assert own.cause is not None
    assert own.cause.reason == "the load died"


def test_a_pause_ends_as_soon_as_somebody_asks():
    stop = Stop()
    threading.Timer(0.1, stop.request, ("enough", "user")).start()
    began = time.monotonic()
    with pytest.raises(Aborted):
        stop.pause(30)
    assert time.monotonic() - began < 5


def test_a_pause_lasts_as_long_as_asked_otherwise():
    began = time.monotonic()
    Stop().pause(0.15)
    assert time.monotonic() - began >= 0.15


def test_a_call_that_cannot_be_interrupted_is_left_behind():
    stop, over = Stop(), threading.Event()
    threading.Timer(0.1, stop.request, ("enough", "user")).start()
    with pytest.raises(Aborted):
        stop.during(lambda: over.wait(20))
    assert not over.is_set()
    over.set()


def test_otherwise_its_result_or_its_error_is_handed_on():
    assert Stop().during(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        Stop().during(lambda: 1 / 0)


def test_until_gives_the_value_or_ends_at_its_deadline():
    assert Stop().until(lambda: "there", deadline_s=1, what="it") == "there"
    with pytest.raises(DeadlineError, match="it: not within"):
        Stop().until(lambda: None, deadline_s=0.05, what="it", poll_s=0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_for_the_end_and_raises_nothing(number, capfd):
    stop = Stop()
    before = signal.getsignal(number)
    with stopping(stop):
        os.kill(os.getpid(), number)
        with pytest.raises(Aborted):
            stop.pause(5)
    assert stop.cause is not None
    assert stop.cause.reason == f"stopped by {number.name}"
    assert stop.cause.by == "signal"
    assert signal.getsignal(number) == before
    assert "stopping" in capfd.readouterr().err


def test_a_signal_is_heard_when_nobody_reads_stderr_any_more(capfd):
    stop = Stop()
    reader, writer = os.pipe()
    os.close(reader)
    kept = os.dup(2)
    os.dup2(writer, 2)
    try:
        with stopping(stop):
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(writer)
    assert stop.cause is not None
    assert stop.cause.reason == "stopped by SIGHUP"
