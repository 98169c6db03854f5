"""What the books show of a run, what they cannot, and how much may be lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builder import Outage, Scene, golden_plan
from verdicts import SMALL, outcome, verdict_of, why

from stormdrill.estate_books import NoAudit
from stormdrill.records.layout import Outcome as Ended
from stormdrill.verdict import Outcome


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


def test_without_promotion_an_asynchronous_standby_does_not_matter(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, replace(Scene(**SMALL), sync="async", lag_s=None))
    assert outcome(verdict, "lost") is Outcome.PASS
    assert "stayed leader" in why(verdict, "lost")


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
