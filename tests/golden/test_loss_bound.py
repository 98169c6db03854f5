"""What zero lost is worth when the remote site took over: a bound in seconds, or the claim that nothing is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import failing_over as scenes
import pytest
from builder import T0, Scene, build
from verdicts import outcome, why

from stormdrill.judge import judge
from stormdrill.measure import load_measurements, measure
from stormdrill.plan import Plan
from stormdrill.store import Run
from stormdrill.verdict import Outcome, Verdict


def allowing(seconds: float, most: int | None = None) -> Plan:
    """The plan of two cities in which a tier A write may be lost that is at most so old."""
    plan = scenes.two_cities("city-loss")
    objectives = replace(plan.experiment.objectives, data_loss_s={"A": seconds}, max_lost=most)
    return replace(plan, experiment=replace(plan.experiment, objectives=objectives))


def judged(path: Path, scene: Scene, plan: Plan, then: bool = True) -> Verdict:
    run, truth = build(path / "run", scene, plan)
    if then:
        scenes.write_books_then(run, 44.0, truth.lost)
    measure(run)
    return judge(run)


CLAIMS: list[tuple[tuple[float, int | None], float, Outcome, str]] = [
    ((5.0, None), 0.1, Outcome.PASS, "0 s of the 5 s allowed, shown by"),
    ((5.0, None), 2.0, Outcome.PASS, "within its lag of 2.000 s"),
    ((0.1, None), 0.1, Outcome.INCONCLUSIVE, "writes were acknowledged in the 0.1 s before"),
    ((0.0, None), 0.1, Outcome.INCONCLUSIVE, "writes were at risk at t0"),
    ((0.0, None), 2.0, Outcome.PASS, "by the rule of three"),
    ((5.0, 0), 0.1, Outcome.INCONCLUSIVE, "writes were at risk at t0"),
    ((5.0, 3), 0.1, Outcome.PASS, "too few to say that this path loses nothing"),
]


@pytest.mark.parametrize(("allowed", "lag_s", "expected", "says"), CLAIMS)
def test_a_bound_is_shown_by_the_writes_of_its_seconds_and_none_by_those_at_risk(
    tmp_path: Path, allowed: tuple[float, int | None], lag_s: float, expected: Outcome, says: str
) -> None:
    verdict = judged(tmp_path, scenes.remote(lag=scenes.follows(lag_s)), allowing(*allowed))
    for name in ("lost", "lost.failover"):
        assert outcome(verdict, name) is expected
        assert says in why(verdict, name)


def test_too_few_writes_show_no_bound(tmp_path: Path) -> None:
    scene = scenes.remote(lag=scenes.follows(0.1), probes={"login": 10.0}, sessions={"transfer": 2.0})
    verdict = judged(tmp_path, scene, allowing(5.0))
    assert outcome(verdict, "lost") is Outcome.INCONCLUSIVE
    assert "too few to show" in why(verdict, "lost")


def untold(at_s: float) -> scenes.Told:
    said = {"database": "cell0", "site": "city2", "state": "streaming", "lag_bytes": None}
    return (at_s, "steady", "db.standby", said)


@pytest.mark.parametrize(("age_s", "expected"), [(1.5, Outcome.PASS), (3.5, Outcome.INCONCLUSIVE)])
def test_a_lag_that_was_told_a_moment_before_holds_while_it_is_fresh(
    tmp_path: Path, age_s: float, expected: Outcome
) -> None:
    (told,) = scenes.follows(0.1)
    verdict = judged(tmp_path, scenes.remote(lag=((-age_s, *told[1:]), untold(-0.3))), allowing(5.0))
    assert outcome(verdict, "lost") is expected


def test_what_was_acknowledged_while_the_fault_was_being_put_in_place_is_no_write_of_an_isolated_site(
    tmp_path: Path,
) -> None:
    """t0 is before the first packet that is dropped; agents take some tenths of a second."""
    outage = replace(scenes.remote().outages[0], start_s=0.5)
    scene = scenes.remote(lag=scenes.follows(0.1), outages=(outage,))
    run, _ = build(tmp_path / "whole", scene, allowing(5.0))
    before = len(scenes._acknowledged(run, before_ns=T0))
    lost = replace(scene, lost=frozenset(range(before, before + 3)))

    at_once = judged(tmp_path / "a", lost, allowing(5.0))
    assert outcome(at_once, "lost") is Outcome.FAIL
    assert "acknowledged after the fault was in place" in why(at_once, "lost")

    run, _ = build(tmp_path / "b" / "run", lost, allowing(5.0))
    _in_place(run, 0.5)
    measure(run)
    assert outcome(judge(run), "lost") is Outcome.PASS
    found = load_measurements(run).loss
    assert 0.3 < found.loss_s <= 0.5
    assert found.lost_after_t0 == 0


def _in_place(run: Run, at_s: float) -> None:
    lines = [json.loads(line) for line in run.history.read_text().splitlines()]
    for line in lines:
        if line["kind"] == "fault.applied":
            line["data"]["in_place_ns"] = T0 + round(at_s * 1e9)
    run.history.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_books_that_cannot_show_losses_prove_none_after_the_failover_either(tmp_path: Path) -> None:
    run, _ = build(tmp_path / "run", scenes.remote(), allowing(5.0))
    scenes.write_books_then(run, 44.0, ())
    path = run.path / "books-failover.json"
    books: dict[str, Any] = {**json.loads(path.read_text()), "shows": ["duplicated"]}
    path.write_text(json.dumps(books))
    measure(run)
    assert outcome(judge(run), "lost.failover") is Outcome.INCONCLUSIVE
