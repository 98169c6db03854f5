"""Whole runs: what each of them must come to, and which rule or check says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builder import Outage, Scene, build, golden_plan

from stormdrill.errors import ExitCode
from stormdrill.estate_books import NoAudit
from stormdrill.judge import judge
from stormdrill.measure import load_measurements, measure
from stormdrill.plan import Plan
from stormdrill.records.layout import Outcome as Ended
from stormdrill.scenario import Activity, ActivityKind
from stormdrill.store import Run
from stormdrill.verdict import Outcome, Verdict

SMALL = {"probes": {"transfer": 20.0, "login": 10.0, "balance": 10.0, "payment": 10.0}, "after_s": 30.0}


def verdict_of(path: Path, scene: Scene, plan: Plan | None = None) -> Verdict:
    run, _ = build(path / "run", scene, plan)
    measure(run)
    return judge(run)


def outcome(verdict: Verdict, name: str) -> Outcome:
    return next(check.verdict for check in (*verdict.checks, *verdict.validity) if check.id == name)


def why(verdict: Verdict, name: str) -> str:
    return next(check.why for check in (*verdict.checks, *verdict.validity) if check.id == name)


def test_a_clean_run_passes(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, Scene(**SMALL))
    assert (verdict.verdict, verdict.exit_code) == (Outcome.PASS, ExitCode.PASS)
    assert {rule.verdict for rule in verdict.validity} == {Outcome.PASS}
    assert any("lab preset" in note for note in verdict.notes)


def test_a_guard_that_was_blind_is_noted(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, Scene(**SMALL, guard_blind=True))
    assert verdict.verdict is Outcome.PASS
    said = "the guard was blind: queue: no answer for 10 s: found duplicate series"
    assert said in verdict.notes


@pytest.mark.parametrize(
    ("offsets", "says"),
    [
        ((0.0, -0.7), "at most 700 ms behind ours, known to ± 2 ms"),
        ((2.0, 0.0), "at most 2000 ms ahead of ours"),
        ((0.0, None), "could not be compared: no answer"),
    ],
)
def test_another_clock_in_prometheus_is_no_ground_to_judge_on(
    tmp_path: Path, offsets: tuple[float | None, ...], says: str
) -> None:
    verdict = verdict_of(tmp_path, Scene(**SMALL, prometheus_clock_s=offsets))
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert outcome(verdict, "prometheus_clock") is Outcome.INCONCLUSIVE
    assert says in why(verdict, "prometheus_clock")
    assert outcome(verdict, "assert.no-gateway-error-after") is Outcome.INCONCLUSIVE
    assert outcome(verdict, "recovery.login") is Outcome.PASS


def test_a_clock_that_nobody_compared_is_not_exercised(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, Scene(**SMALL, prometheus_clock_s=()))
    assert verdict.verdict is Outcome.PASS
    assert outcome(verdict, "prometheus_clock") is Outcome.NOT_EXERCISED


HARM = {
    "too slow": ({"outages": (Outage(0, 6.3, "login"),)}, "recovery.login"),
    "too many hurt": ({"outages": (Outage(0, 2.0),)}, "hurt.A"),
    "never recovered": ({"outages": (Outage(0, 99, "payment"),)}, "recovery.payment"),
    "ill in settle": ({"outages": (Outage(23, 29.9, share=0.3),)}, "settled.A"),
    "lost": ({"lost": frozenset({3, 4})}, "lost"),
    "duplicated": ({"duplicated": frozenset({9})}, "duplicated"),
    "altered": ({"altered": frozenset({2})}, "altered"),
    "ghost": ({"ghosts": 1}, "ghost"),
    "refused but booked": (
        {"outages": (Outage(0, 1, "transfer"),), "refused_booked": True},
        "refused_booked",
    ),
    "money not conserved": ({"invariant": 5}, "books.money-is-conserved"),
    "assertion broken": ({"assertion_value": 0.5}, "assert.no-gateway-error-after"),
    "order inverted": ({"shed": {"A": 0.5, "B": 0.2, "C": 0.1}}, "flow.order"),
    "above the limit": ({"over_limit": 3.0, "flow_asked": True}, "flow.limit"),
}


@pytest.mark.parametrize("name", HARM)
def test_harm_fails(tmp_path: Path, name: str) -> None:
    changes, check = HARM[name]
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), **changes))
    assert outcome(verdict, check) is Outcome.FAIL
    assert verdict.exit_code is ExitCode.FAIL


DOUBT: dict[str, tuple[dict[str, Any], str]] = {
    "prometheus stopped": ({"prometheus_gone_s": (5, 25)}, "prometheus_fresh"),
    "prometheus never fetched": ({"series_fetched": False}, "client_prometheus_agree"),
    "generator frozen": ({"freeze_s": (3.2, 8.2)}, "generator_on_time"),
    "generator late": ({"lateness_ms": 150.0}, "generator_on_time"),
    "fault not proven": ({"proven": False}, "fault_proven"),
    "no fault": ({"faults_s": ()}, "fault_proven"),
    "machine starved": ({"pressure": 0.97}, "machine_not_starved"),
    "load ended early": ({"load_stops_s": 20.0}, "load_ran_to_end"),
    "sync state unknown": ({"sync": None, "fault_class": "db-primary-loss"}, "sync_state_known"),
    "books incomplete": ({"books_complete": False}, "audit_complete"),
    "books unread": ({"books": False}, "audit_complete"),
    "client and prometheus disagree": ({"agreement": 0.5}, "client_prometheus_agree"),
    "ill before the fault": ({"outages": (Outage(-20, 0, share=0.1),)}, "steady_healthy"),
    "assertion without samples": ({"assertion_value": None}, "assert.no-gateway-error-after"),
    "assertion with too few samples in settle": ({"after_s": 24.0}, "assert.no-gateway-error-after"),
    "flow control asked for, nothing shed": ({"flow_asked": True}, "flow.order"),
    "flow control asked for, nothing refused": ({"shed": {"B": 0.3, "C": 0.6}}, "flow.rejects"),
}


@pytest.mark.parametrize("name", DOUBT)
def test_doubt_is_inconclusive(tmp_path: Path, name: str) -> None:
    changes, check = DOUBT[name]
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), **changes))
    assert outcome(verdict, check) is Outcome.INCONCLUSIVE
    assert Outcome.FAIL not in {item.verdict for item in verdict.checks}
    assert verdict.exit_code is ExitCode.INCONCLUSIVE


@pytest.mark.parametrize("name", DOUBT)
def test_proven_loss_stays_fail_whatever_else_broke(tmp_path: Path, name: str) -> None:
    changes, check = DOUBT[name]
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), lost=frozenset({7}), **changes))
    shown = not name.startswith("books")  # partial books cannot prove that something is absent
    assert (verdict.exit_code is ExitCode.FAIL) is shown
    assert outcome(verdict, check) is Outcome.INCONCLUSIVE


FROZEN, GONE = {"freeze_s": (3.2, 8.2)}, {"prometheus_gone_s": (5, 25)}


@pytest.mark.parametrize(
    ("answer", "broken", "expected"),
    [
        ("held", {}, Outcome.PASS),
        ("held", FROZEN, Outcome.INCONCLUSIVE),
        ("customers: no", {}, Outcome.FAIL),
        ("customers: no", GONE, Outcome.FAIL),
        ("customers: no", FROZEN, Outcome.INCONCLUSIVE),
        ("standby: no", {}, Outcome.FAIL),
        ("standby: no", FROZEN, Outcome.FAIL),
        ("standby: no answer", {}, Outcome.INCONCLUSIVE),
        ("samples: no", {}, Outcome.FAIL),
        ("samples: no", GONE, Outcome.INCONCLUSIVE),
        ("samples: no answer", GONE, Outcome.INCONCLUSIVE),
    ],
)
def test_a_hypothesis_that_nobody_could_check_is_no_harm(
    tmp_path: Path, answer: str, broken: dict[str, Any], expected: Outcome
) -> None:
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), hypothesis=answer, **broken))
    assert outcome(verdict, "hypothesis") is expected
    assert verdict.verdict is expected
    if answer != "held":
        assert answer.partition(":")[0] in why(verdict, "hypothesis")


def test_a_frozen_generator_neither_proves_nor_hides_hurt(tmp_path: Path) -> None:
    frozen = replace(Scene(**SMALL), freeze_s=(10.2, 15.2))
    assert Outcome.FAIL not in {check.verdict for check in verdict_of(tmp_path / "a", frozen).checks}
    hurt = replace(frozen, outages=(Outage(0, 7.0, "login"),))
    assert outcome(verdict_of(tmp_path / "b", hurt), "recovery.login") is Outcome.FAIL


@pytest.mark.parametrize(
    ("lag_s", "expected"), [(None, Outcome.INCONCLUSIVE), (0.1, Outcome.INCONCLUSIVE), (5.0, Outcome.PASS)]
)
def test_nothing_lost_means_something_only_when_enough_was_at_risk(
    tmp_path: Path, lag_s: float | None, expected: Outcome
) -> None:
    scene = replace(
        Scene(**SMALL), fault_class="db-primary-loss", sync="async", lag_s=lag_s, leader_change_s=3.0
    )
    assert outcome(verdict_of(tmp_path, scene), "lost") is expected


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


def test_without_promotion_an_asynchronous_standby_does_not_matter(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), sync="async", lag_s=None))
    assert outcome(verdict, "lost") is Outcome.PASS
    assert "stayed leader" in why(verdict, "lost")


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


def test_an_estate_that_declares_no_audit_is_not_held_against_the_run(tmp_path: Path) -> None:
    plan = golden_plan()
    plan = replace(plan, topology=replace(plan.topology, audit=NoAudit("no reader for this estate")))
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), books=False), plan)
    assert verdict.verdict is Outcome.PASS
    assert outcome(verdict, "lost") is Outcome.NOT_EXERCISED
    assert any("not audited" in note for note in verdict.notes)


HARMS = {"lost", "duplicated", "altered", "ghost", "refused_booked"}


@pytest.mark.parametrize("shows", [{"lost"}, {"lost", "altered", "refused_booked"}, HARMS])
def test_what_the_books_cannot_show_is_not_exercised(tmp_path: Path, shows: set[str]) -> None:
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), shows=tuple(shows)))
    assert {name for name in HARMS if outcome(verdict, name) is Outcome.PASS} == shows
    for name in HARMS - shows:
        assert outcome(verdict, name) is Outcome.NOT_EXERCISED
        assert "books read by sql cannot show" in why(verdict, name)
    assert verdict.verdict is Outcome.PASS


def test_what_was_read_is_proof_whatever_the_reader_promises(tmp_path: Path) -> None:
    verdict = verdict_of(
        tmp_path, replace(Scene(**SMALL), shows=("lost",), duplicated=frozenset({9}), lost=frozenset({3}))
    )
    assert outcome(verdict, "duplicated") is Outcome.FAIL
    assert outcome(verdict, "lost") is Outcome.FAIL


def test_books_that_cannot_show_losses_prove_none(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), shows=("duplicated",), lost=frozenset({3})))
    assert outcome(verdict, "lost") is Outcome.NOT_EXERCISED


BEFORE, LONG_BEFORE, AFTER = range(860, 863), range(100, 103), range(1000, 1003)  # 0.5 s and 19 s before t0


@pytest.mark.parametrize(
    ("data_loss_s", "most", "lost", "expected"),
    [
        (None, None, BEFORE, Outcome.FAIL),
        (None, 3, BEFORE, Outcome.PASS),
        (10.0, None, BEFORE, Outcome.PASS),
        (10.0, 0, BEFORE, Outcome.FAIL),
        (10.0, 2, BEFORE, Outcome.FAIL),
        (10.0, 3, BEFORE, Outcome.PASS),
        (10.0, None, LONG_BEFORE, Outcome.FAIL),
        (10.0, 3, LONG_BEFORE, Outcome.FAIL),
        (10.0, None, AFTER, Outcome.FAIL),
        (10.0, 2, AFTER, Outcome.FAIL),
        (10.0, 3, AFTER, Outcome.PASS),
    ],
)
def test_seconds_and_numbers_that_may_be_lost(
    tmp_path: Path, data_loss_s: float | None, most: int | None, lost: range, expected: Outcome
) -> None:
    plan = golden_plan()
    assert plan.experiment.objectives.max_lost is None
    stated = {} if data_loss_s is None else {"A": data_loss_s}
    objectives = replace(plan.experiment.objectives, data_loss_s=stated, max_lost=most)
    plan = replace(plan, experiment=replace(plan.experiment, objectives=objectives))
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), after_s=12.0, lost=frozenset(lost)), plan)
    assert outcome(verdict, "lost") is expected


READS = ("login", "balance", "bills", "checkin")


def test_a_load_without_writes_exercises_no_money_and_can_pass(tmp_path: Path) -> None:
    plan = golden_plan()
    assert plan.profile.session is not None
    session = replace(plan.profile.session, actions={"bills": 1.0, "checkin": 1.0})
    profile = replace(plan.profile, probes={"login": 10.0, "balance": 10.0}, session=session)
    plan = replace(plan, profile=profile)
    scene = replace(Scene(**SMALL), probes=dict(profile.probes), sessions=dict.fromkeys(READS, 10.0))
    verdict = verdict_of(tmp_path / "a", scene, plan)
    for name in HARMS - {"ghost"}:
        assert outcome(verdict, name) is Outcome.NOT_EXERCISED
    assert outcome(verdict, "ghost") is Outcome.PASS
    assert verdict.verdict is Outcome.PASS
    assert outcome(verdict_of(tmp_path / "b", replace(scene, ghosts=1), plan), "ghost") is Outcome.FAIL


def test_writes_that_came_due_and_were_never_sent_leave_it_open(tmp_path: Path) -> None:
    blocked = tuple(Outage(-30, 30, name, Ended.BLOCKED) for name in ("transfer", "payment"))
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), outages=blocked))
    for name in HARMS - {"ghost"}:
        assert outcome(verdict, name) is Outcome.INCONCLUSIVE


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
