"""Whole runs: how they end, what their load was, and that the same directory gives the same verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builder import Outage, Scene, build, golden_plan
from verdicts import SMALL, outcome, verdict_of, why

from stormdrill.errors import ExitCode
from stormdrill.estate_books import NoAudit
from stormdrill.judge import judge
from stormdrill.measure import load_measurements, measure
from stormdrill.records.layout import Outcome as Ended
from stormdrill.scenario import Activity, ActivityKind
from stormdrill.store import Run
from stormdrill.verdict import Outcome


def test_a_guard_that_was_blind_is_noted(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, Scene(**SMALL, guard_blind=True))
    assert verdict.verdict is Outcome.PASS
    said = "the guard was blind: queue: no answer for 10 s: found duplicate series"
    assert said in verdict.notes


@pytest.mark.parametrize(("share", "expected"), [(0.0, Outcome.PASS), (0.5, Outcome.FAIL)])
def test_where_the_load_itself_is_the_test_the_method_is_what_is_judged(
    tmp_path: Path, share: float, expected: Outcome
) -> None:
    plan = golden_plan()
    wait = Activity("wait", ActivityKind.ACTION, "wait", {"duration": "1s"})
    objectives = replace(plan.experiment.objectives, success={"A": 0.99})
    plan = replace(plan, experiment=replace(plan.experiment, method=(wait,), objectives=objectives))
    outages = (Outage(-1.0, 30.0, share=share),) if share else ()
    scene = Scene(probes={"login": 600.0}, after_s=12.0, faults_s=(), outages=outages)  # the method is short
    verdict = verdict_of(tmp_path, scene, plan)
    assert outcome(verdict, "hurt.A") is expected
    assert outcome(verdict, "success.A") is expected
    assert outcome(verdict, "fault_proven") is Outcome.NOT_EXERCISED


def test_an_abort_by_the_guard_on_an_objective_is_fail_and_aborted(tmp_path: Path) -> None:
    abort = {"reason": "good_ratio below 0.5 for 30 s", "by": "guard", "objective": True}
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), abort=abort, aborted_s=12.0))
    assert (verdict.verdict, verdict.aborted, verdict.exit_code) == (Outcome.FAIL, True, ExitCode.ABORTED)


def test_ctrl_c_in_steady_is_aborted_and_says_nothing(tmp_path: Path) -> None:
    abort = {"reason": "SIGINT", "by": "signal"}
    verdict = verdict_of(
        tmp_path, replace(Scene(**SMALL), abort=abort, aborted_s=-4.0, after_s=-4.0, faults_s=())
    )
    assert (verdict.verdict, verdict.exit_code) == (Outcome.INCONCLUSIVE, ExitCode.ABORTED)
    assert outcome(verdict, "recovery.login") is Outcome.NOT_EXERCISED


def test_a_fault_that_stays_outranks_everything(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), revert_failed=True))
    assert verdict.exit_code is ExitCode.NOT_REVERTED


def test_a_plain_estate_without_metrics_probes_or_database_can_pass(tmp_path: Path) -> None:
    plan = golden_plan()
    topology = replace(plan.topology, databases={}, metrics={}, audit=NoAudit("none here"))
    experiment = replace(plan.experiment, assertions=())
    plan = replace(plan, topology=topology, experiment=experiment)
    sessions = dict.fromkeys(("login", "transfer", "bills", "balance", "payment", "checkin"), 15.0)
    scene = replace(Scene(**SMALL), probes={}, sessions=sessions, books=False, sync=None)
    verdict = verdict_of(tmp_path / "a", scene, plan)
    assert verdict.verdict is Outcome.PASS
    idle = {rule.id for rule in verdict.validity if rule.verdict is Outcome.NOT_EXERCISED}
    assert idle == {"client_prometheus_agree", "sync_state_known", "audit_complete"}
    slow = verdict_of(
        tmp_path / "b", replace(scene, outages=(Outage(0, 7, "bills"), Outage(0, 6.5, "login"))), plan
    )
    assert outcome(slow, "recovery.login") is Outcome.FAIL
    assert outcome(slow, "recovery.bills") is Outcome.PASS


def test_an_operation_that_nobody_asks_for_again_is_not_recovered(tmp_path: Path) -> None:
    scene = replace(Scene(**SMALL), sessions={}, probes={**SMALL["probes"], "checkin": 0.05}, seed=5)
    scene = replace(scene, outages=(Outage(0, 99, "checkin"),), after_s=24.0)
    verdict = verdict_of(tmp_path, scene)
    assert outcome(verdict, "recovery.checkin") is Outcome.INCONCLUSIVE
    assert "nobody asked for it afterwards" in why(verdict, "recovery.checkin")


def test_faults_far_apart_are_each_measured_from_their_own_start(tmp_path: Path) -> None:
    outages = (Outage(0, 1.0, "login"), Outage(15, 21.5, "login"))
    scene = replace(Scene(**SMALL), after_s=40.0, faults_s=(0.0, 15.0), outages=outages)
    verdict = verdict_of(tmp_path, scene)
    assert outcome(verdict, "recovery.login") is Outcome.FAIL
    check = next(check for check in verdict.checks if check.id == "recovery.login")
    assert check.details["fault"] == "kill-2"
    assert check.measured.value == pytest.approx(6.5)


def test_a_fault_that_nobody_watched_to_its_end_is_not_hidden_by_a_longer_one(tmp_path: Path) -> None:
    """The first took longer and is known to be over; after the second, H was not watched."""
    outages = (Outage(0, 4.0, "login"), Outage(20, 21.0, "login"))
    scene = replace(Scene(**SMALL), after_s=26.0, faults_s=(0.0, 20.0), outages=outages)
    verdict = verdict_of(tmp_path, scene)
    assert outcome(verdict, "recovery.login") is Outcome.INCONCLUSIVE
    check = next(check for check in verdict.checks if check.id == "recovery.login")
    assert check.details["fault"] == "kill-2"


def test_an_operation_that_nobody_asked_for_after_one_of_the_faults_is_doubt(tmp_path: Path) -> None:
    scene = replace(Scene(**SMALL), sessions={}, probes={**SMALL["probes"], "checkin": 0.05}, seed=5)
    scene = replace(scene, after_s=29.0, faults_s=(0.0, 28.5))
    verdict = verdict_of(tmp_path, scene)
    assert outcome(verdict, "recovery.checkin") is Outcome.INCONCLUSIVE
    assert "nobody asked for checkin after the fault" in why(verdict, "recovery.checkin")


def test_shedding_in_order_passes_and_survives_a_restart(tmp_path: Path) -> None:
    scene = replace(Scene(**SMALL), shed={"A": 0.0, "B": 0.3, "C": 0.6}, restart_s=6.0)
    verdict = verdict_of(tmp_path, scene)
    assert outcome(verdict, "flow.order") is Outcome.PASS


def test_few_sheds_show_no_order(tmp_path: Path) -> None:
    scene = replace(Scene(**SMALL), shed={"A": 0.05}, demand={"A": 60.0, "B": 30.0})
    verdict = verdict_of(tmp_path, scene)
    assert outcome(verdict, "flow.order") is Outcome.INCONCLUSIVE
    assert "never shed 50 requests" in why(verdict, "flow.order")


def test_a_damaged_record_is_doubt(tmp_path: Path) -> None:
    run, _ = build(tmp_path / "run", Scene(**SMALL))
    file = run.requests / "load-0.rec"
    data = bytearray(file.read_bytes())
    data[4096 + 64 * 10 + 3] ^= 1
    file.write_bytes(data)
    measure(run)
    verdict = judge(run)
    assert outcome(verdict, "records_intact") is Outcome.INCONCLUSIVE
    assert verdict.exit_code is ExitCode.INCONCLUSIVE


def test_a_run_that_recorded_nothing_is_measured_as_far_as_it_went(tmp_path: Path) -> None:
    run, _ = build(tmp_path / "run", Scene(**SMALL))
    for directory in (run.requests, run.witness, run.series):
        for file in directory.iterdir():
            file.unlink()
    run.books.unlink()
    measure(run)
    assert judge(run).verdict is Outcome.INCONCLUSIVE


def test_the_same_directory_gives_the_same_bytes(tmp_path: Path) -> None:
    scene = replace(Scene(**SMALL), outages=(Outage(0, 2.0),), lost=frozenset({5}))
    first, _ = build(tmp_path / "a" / "run", scene)
    second, _ = build(tmp_path / "b" / "run", scene)
    written = [_bytes(first), _bytes(first), _bytes(second)]
    assert written[0] == written[1] == written[2]


def _bytes(run: Run) -> tuple[bytes, bytes]:
    measure(run)
    assert load_measurements(run) == measure(run)
    judge(run)
    return run.measurements.read_bytes(), run.verdict.read_bytes()


def test_shuffled_records_measure_the_same(tmp_path: Path) -> None:
    import random

    scene = replace(Scene(**SMALL), outages=(Outage(0, 2.0, outcome=Ended.UNKNOWN),), lost=frozenset({5}))
    run, _ = build(tmp_path / "run", scene)
    before = measure(run)
    for name, size in (("requests", 64), ("witness", 96)):
        file = run.path / name / "load-0.rec"
        data = file.read_bytes()
        rows = [data[at : at + size] for at in range(4096, len(data), size)]
        random.Random(3).shuffle(rows)
        file.write_bytes(data[:4096] + b"".join(rows))
    assert measure(run) == before
