"""Drills on a lab in which a protection was taken away, or which could not be observed: none may pass.

Each breaks one thing and says what the verdict must be. The times are shorter than the presets; what is shown
does not depend on them.
"""

import contextlib
import signal
from collections import Counter
from pathlib import Path

import pytest
from tests.lab.drill import books
from tests.lab.drill.estate import (
    LIGHT,
    LONGER,
    SHORT,
    Bank,
    drill,
    event,
    impatient,
    slow_link,
    stop_prometheus,
    until,
)
from tests.lab.drill.surges import sooner

from stormlab.process import ProcessId

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def bank(small_lab):
    """As it was in the beginning, for the tests after this module too."""
    bank = Bank(small_lab)
    yield bank
    bank.runs_with()


def test_without_idempotency_retries_book_twice_and_the_keys_are_listed(small_lab, bank, runs):
    """Commits wait for the far standby, so the crash finds many that are on disk and not acknowledged."""
    bank.runs_with(BANK_IDEMPOTENCY="off")
    with slow_link(small_lab, "50ms"):
        ended = drill(small_lab, runs, "experiments/db-primary-loss.yaml", "--times", SHORT)
        counts = Counter(books.booked(small_lab))
    twice = sorted(key for key, count in counts.items() if count > 1)
    assert twice, "nothing was booked twice: the test did not break what it meant to break"
    assert (ended.code, ended.verdict["verdict"]) == (1, "fail"), ended.output
    assert ended.check("duplicated")["verdict"] == "fail"
    assert sorted(one["key"] for one in ended.measurements["loss"]["movements"]["duplicated"]) == twice


def test_an_inverted_order_of_shedding_fails(small_lab, bank, runs, tmp_path):
    bank.runs_with(BANK_TIER_ORDER="C,B,A2,A1")
    ended = drill(small_lab, runs, str(sooner(tmp_path)), "--times", SHORT)
    assert ended.check("flow.order")["verdict"] == "fail", ended.check("flow.order")
    assert (ended.code, ended.verdict["verdict"]) == (1, "fail"), ended.output


def test_prometheus_stopped_in_the_window_is_inconclusive(small_lab, bank, runs, tmp_path):
    bank.runs_with()
    ended = drill(
        small_lab,
        runs,
        "experiments/pod-kill.yaml",
        *LIGHT,
        "--topology",
        str(impatient(small_lab.topology, tmp_path)),
        "--times",
        LONGER,
        during=lambda run: stop_prometheus(small_lab, run, phase="settle"),
    )
    assert "prometheus_fresh" in ended.broken()
    _never_a_pass(ended)


def test_a_frozen_generator_is_inconclusive(small_lab, bank, runs):
    bank.runs_with()

    def freeze(run: Path) -> None:
        generator = ProcessId.of(event(run, "load.started")["data"]["pid"])
        event(run, "phase.start", phase="settle")
        generator.signal(signal.SIGSTOP)
        try:
            with contextlib.suppress(AssertionError):
                until(lambda: False, 5, "the freeze to be over")
        finally:
            generator.signal(signal.SIGCONT)

    ended = drill(
        small_lab,
        runs,
        "experiments/pod-kill.yaml",
        *LIGHT,
        "--times",
        LONGER,
        during=freeze,
    )
    assert "generator_on_time" in ended.broken()
    assert ended.measurements["generator"]["worst_stall_ms"] > 4500
    _never_a_pass(ended)


def _never_a_pass(ended):
    """Inconclusive, exit 3; only harm in the client's own records (two cores were too few) makes it fail."""
    failed = {one["id"].partition(".")[0] for one in ended.verdict["checks"] if one["verdict"] == "fail"}
    proven = failed & {"recovery", "hurt", "settled"}
    assert failed - proven <= {"hypothesis"}, ended.output
    hurt = sum(
        share["requests"] - share["good"] for share in ended.measurements["hurt"] if share["subject"] == "all"
    )
    assert hurt or not proven, ended.output
    expected = (1, "fail") if proven else (3, "inconclusive")
    assert (ended.code, ended.verdict["verdict"]) == expected, ended.output
