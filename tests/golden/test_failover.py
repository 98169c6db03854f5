"""Failovers and returns with known truths: parts of the recovery, dual writes, fences, losses, the way back."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import failing_over as scenes
import pytest
import remote_story
from builder import Outage, Scene, Truth, build

from stormdrill.judge import judge
from stormdrill.measure import Measurements, load_measurements, measure
from stormdrill.report import render
from stormdrill.store import Run, read_json, write_json
from stormdrill.verdict import Check, Outcome, Verdict


def built(path: Path, scene: Scene) -> tuple[Run, Truth]:
    return build(path / "run", scene, scenes.two_cities("city-loss"))


def judged(run: Run) -> tuple[Measurements, Verdict]:
    return measure(run), judge(run)


def check(verdict: Verdict, name: str) -> Check:
    return next(one for one in (*verdict.checks, *verdict.validity) if one.id == name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run, _ = built(tmp_path_factory.mktemp("failover"), scenes.remote())
    scenes.write_fork(run, [(key, 100) for key in scenes.lost_before_t0(run, 0)], commits_s=[-0.5, -0.2])
    scenes.write_books_then(run, 44.0, ())
    return run


def test_the_recovery_is_a_sum_of_what_people_and_machines_did(whole: Run) -> None:
    measured, verdict = judged(whole)
    entry = next(one for one in measured.recoveries if one.operation == "transfer")
    assert [(part.name, round(part.end_s - part.start_s, 1)) for part in entry.parts] == [
        ("detect", 3.2), ("decide", 4.8), ("fence", 1.4), ("promote", 2.6), ("route", 4.4),
    ]  # fmt: skip
    assert "Li Wei: fail over to city2" in entry.parts[1].how
    assert "the name bank.example leads to city2-a" in entry.parts[4].how
    assert check(verdict, "recovery.transfer").verdict is Outcome.PASS
    assert measured.failover.alarms.detected_s == 3.2
    assert measured.failover.decision_to_write_s == pytest.approx(8.4, abs=0.2)


def test_a_whole_failover_and_return_passes(whole: Run) -> None:
    measured, verdict = judged(whole)
    assert {one.id: one.verdict for one in verdict.validity if one.verdict is not Outcome.PASS} == {}
    for name in ("dual_writes", "fence", "lost", "lost.failover", "return.write_pause", "redundancy"):
        assert check(verdict, name).verdict is Outcome.PASS, check(verdict, name).why
    assert verdict.verdict is Outcome.PASS
    assert check(verdict, "return.write_pause").measured.value == pytest.approx(3.4, abs=0.15)
    assert measured.loss.risk.path == "asynchronous"
    assert measured.loss.risk.at_risk is not None
    assert measured.loss.risk.at_risk >= 30
    assert load_measurements(whole) == measured


def test_measurements_from_before_failovers_were_measured_can_still_be_judged(whole: Run) -> None:
    judged(whole)
    raw = read_json(whole.measurements)
    del raw["failover"]
    write_json(whole.measurements, raw)
    assert load_measurements(whole).failover.takeovers == ()


def test_commits_on_the_old_timeline_after_the_new_ones_first_write_fail(tmp_path: Path) -> None:
    run, _ = built(tmp_path, scenes.remote(fence=()))
    keys = scenes.meant_after(run, 12.3, 7)
    scenes.write_fork(run, [(key, 500) for key in keys], commits_s=[-0.5, *(12.4 + i / 10 for i in range(9))])
    _, verdict = judged(run)
    dual = check(verdict, "dual_writes")
    assert (dual.verdict, dual.measured.value) == (Outcome.FAIL, 9)
    assert "until 1200 ms after it (± 10 ms)" in dual.why
    assert check(verdict, "fence").verdict is Outcome.FAIL
    assert verdict.verdict is Outcome.FAIL


def test_without_a_clock_only_what_was_meant_later_is_proof(tmp_path: Path) -> None:
    run, _ = built(tmp_path, scenes.remote())
    keys = scenes.meant_after(run, 12.3, 3)
    scenes.write_fork(run, [(key, 500) for key in keys], commits_s=[12.4, 12.5, 12.6, 12.7], error_s=None)
    dual = check(judged(run)[1], "dual_writes")
    assert (dual.verdict, dual.measured.value) == (Outcome.FAIL, 3)
    assert "ms" not in dual.why


DUAL: dict[str, tuple[dict[str, Any], Outcome, str]] = {
    "long before": ({"commits_s": [-3.0, -0.1]}, Outcome.PASS, "none of its 2 commits"),
    "within the clock's error": ({"commits_s": [11.995]}, Outcome.INCONCLUSIVE, "1 commits"),
    "later, by an unknown clock": ({"commits_s": [14.0], "error_s": None}, Outcome.INCONCLUSIVE, "1 commits"),
    "not read in full": ({"commits_s": [], "unread": "pg-b-0"}, Outcome.INCONCLUSIVE, "pg-b-0: its volume is empty"),
    "a dual write, though not read in full": ({"commits_s": [14.0], "unread": "pg-b-0"}, Outcome.FAIL, "1 commit on"),
}  # fmt: skip


@pytest.mark.parametrize("name", DUAL)
def test_commits_of_the_old_timeline_by_its_clock(tmp_path: Path, name: str) -> None:
    fork, expected, says = DUAL[name]
    run, _ = built(tmp_path, scenes.remote())
    scenes.write_fork(run, [], **fork)
    dual = check(judged(run)[1], "dual_writes")
    assert dual.verdict is expected
    assert says in dual.why


DECLARED = (
    (
        9.4,
        "recover",
        "fence.closed",
        {"site": "city1", "how": "declared", "why": "power is off, says the site"},
    ),
)
FENCES: dict[str, tuple[Any, bool, Outcome, Outcome]] = {
    "by quorum loss": (scenes.FENCED, False, Outcome.PASS, Outcome.PASS),
    "declared, nothing read": (DECLARED, False, Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE),
    "declared, read on return": (DECLARED, True, Outcome.PASS, Outcome.PASS),
    "only armed": (scenes.FENCED[:1], False, Outcome.FAIL, Outcome.INCONCLUSIVE),
    "none": ((), False, Outcome.FAIL, Outcome.INCONCLUSIVE),
    "proven, then seen not to hold": (
        (
            *scenes.FENCED,
            (9.8, "recover", "fence.closed", {"site": "city1", "how": None, "why": "pg-b-0 runs"}),
        ),
        False,
        Outcome.FAIL,
        Outcome.INCONCLUSIVE,
    ),
    "closed too late": (((14.0, *scenes.FENCED[1][1:]),), False, Outcome.FAIL, Outcome.INCONCLUSIVE),
}


@pytest.mark.parametrize("name", FENCES)
def test_how_the_fence_was_obtained_decides_what_is_known_of_dual_writes(tmp_path: Path, name: str) -> None:
    fence, read, expected, dual = FENCES[name]
    run, _ = built(tmp_path, scenes.remote(fence=fence))
    if read:
        scenes.write_fork(run, [], commits_s=[-0.2])
    _, verdict = judged(run)
    assert check(verdict, "fence").verdict is expected
    assert check(verdict, "dual_writes").verdict is dual


@pytest.mark.parametrize(
    ("lag", "expected", "rule"),
    [
        (scenes.LAG, Outcome.PASS, Outcome.PASS),
        ((), Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE),
        (scenes.LAG[:15], Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE),
        (scenes.follows(0.2), Outcome.PASS, Outcome.PASS),
        (scenes.follows(9.0, "starting"), Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE),
    ],
)  # fmt: skip
def test_nothing_lost_by_an_asynchronous_standby_needs_its_lag(
    tmp_path: Path, lag: Any, expected: Outcome, rule: Outcome
) -> None:
    run, _ = built(tmp_path, scenes.remote(lag=lag))
    _, verdict = judged(run)
    assert check(verdict, "lost").verdict is expected
    assert check(verdict, "sync_state_known").verdict is rule


def test_a_standby_that_fell_out_of_sync_before_the_cut_passes_nothing(tmp_path: Path) -> None:
    scene = scenes.partition(sync="async", lag_s=8.0, leader_change_s=4.0)
    early = (
        -20.0,
        "steady",
        "db.sync",
        {"database": "cell0", "leader": "pg-a-0", "sync_standbys": ["pg-b-0"], "members": []},
    )
    run, _ = build(tmp_path / "run", replace(scene, told=(*scene.told, early)), scenes.two_cities())
    _, verdict = judged(run)
    assert check(verdict, "sync_state_known").verdict is Outcome.INCONCLUSIVE
    assert check(verdict, "lost").verdict is Outcome.INCONCLUSIVE


def test_an_election_in_a_cut_network_has_no_dual_writes_that_customers_know_of(tmp_path: Path) -> None:
    run, _ = build(
        tmp_path / "run", scenes.partition(leader_lost_s=2.0, leader_change_s=4.0), scenes.two_cities()
    )
    dual = check(judged(run)[1], "dual_writes")
    assert dual.verdict is Outcome.PASS
    assert "by quorum" in dual.why


def test_what_the_isolated_site_acknowledged_later_is_counted(tmp_path: Path) -> None:
    scene = scenes.partition(leader_change_s=4.0)
    run, truth = build(tmp_path / "a", scene, scenes.two_cities())
    before = len(scenes._acknowledged(run, before_ns=scenes.T0 + 10 * scenes.S))
    lost = replace(scene, lost=frozenset(range(before, before + 5)))
    run, truth = build(tmp_path / "b", lost, scenes.two_cities())
    dual = check(judged(run)[1], "dual_writes")
    assert (dual.verdict, dual.measured.value) == (Outcome.FAIL, len(truth.lost)) == (Outcome.FAIL, 5)


def test_loss_after_the_failover_and_again_after_the_return(tmp_path: Path) -> None:
    run, truth = built(tmp_path, scenes.remote(lost=frozenset(range(700, 704))))
    gone = scenes.lost_before_t0(run, 10)
    scenes.write_books_then(run, 44.0, {*gone, *truth.lost})
    measured, verdict = judged(run)
    then = measured.failover.loss_then
    assert then is not None
    assert then.count == len({*gone, *truth.lost})
    assert then.late == len(set(gone) - truth.lost)
    assert check(verdict, "lost.failover").measured.value == then.count
    assert check(verdict, "lost").measured.value == 4


def test_a_pause_of_writes_longer_than_a_planned_switch_may_take_fails(tmp_path: Path) -> None:
    outages = (*scenes.remote().outages[:1], Outage(50.0, 62.0, "transfer"), Outage(50.0, 62.0, "payment"))
    run, _ = built(tmp_path, scenes.remote(outages=outages))
    pause = check(judged(run)[1], "return.write_pause")
    assert (pause.verdict, pause.measured.value) == (Outcome.FAIL, pytest.approx(12.0, abs=0.15))


def test_no_standby_after_the_return_fails(tmp_path: Path) -> None:
    run, _ = built(tmp_path, scenes.remote())
    text = run.history.read_text().splitlines()
    kept = [
        line
        for line in text
        if '"db.sync"' not in line or int(line.split('"mono_ns": ')[1].split(",")[0]) < 1_055 * scenes.S
    ]
    alone = [line.replace('["pg-b-0"]', "[]") for line in text if '"db.sync"' in line][-5:]
    run.history.write_text("".join(f"{line}\n" for line in [*kept, *alone]))
    assert check(judged(run)[1], "redundancy").verdict is Outcome.FAIL


def test_a_decision_taken_by_default_is_said_to_be_one(tmp_path: Path) -> None:
    scene = scenes.remote()
    default = tuple(
        (at_s, phase, kind, {**data, "auto": True} if kind == "decision" else data)
        for at_s, phase, kind, data in scene.told
    )
    run, _ = built(tmp_path, replace(scene, told=default))
    measured, verdict = judged(run)
    assert all(one.by_default for one in measured.failover.decisions)
    assert any("not exercised" in note for note in verdict.notes)


def test_a_failover_as_a_drill_records_it_is_told_in_a_few_lines(tmp_path: Path) -> None:
    run, _ = built(tmp_path, remote_story.as_recorded())
    scenes.write_fork(run, [])
    scenes.write_books_then(run, 84.0, ())
    _, verdict = judged(run)
    assert verdict.verdict is Outcome.PASS, [one.why for one in (*verdict.checks, *verdict.validity)]
    render(run)
    text = (run.path / "report.md").read_text()
    rows = re.findall(
        r"^\| ([\w ]+) \| ([\d.]* ?s?) \| (.*) \|$", text[text.index("## The story") :], re.MULTILINE
    )
    told = [(name, at_s) for name, at_s, _ in rows][: len(remote_story.OUTLINE)]
    assert told == remote_story.OUTLINE
    said = " / ".join(words for _, _, words in rows)
    for words in remote_story.WORDS:
        assert words in said
    page = (run.path / "report.html").read_text()
    assert page.index("What happened, when, and who decided") < page.index("<h2>Verdict</h2>")
    assert "drill 2026" not in page
    assert page.count("<svg") == 5  # the recovery as a sum is a picture of its own
    steps = load_measurements(run).failover.steps
    assert [one.at_s for one in steps if one.kind == "fence.closed"] == [12.3, 84.5]  # told twice, said once
    down = [one.what for one in steps if one.kind == "alert.fired" and "ZoneDown" in one.what]
    assert down == ["2 alerts ZoneDown (zone city1-a, region city1; zone city1-b, region city1) fired"]


def test_the_page_tells_a_stranger_what_happened_and_who_decided(tmp_path: Path) -> None:
    run, _ = built(tmp_path, scenes.remote(fence=()))
    keys = scenes.meant_after(run, 12.3, 7)
    scenes.write_fork(run, [(key, 500) for key in keys], commits_s=[13.0])
    judged(run)
    render(run)
    for name in ("report.html", "report.md"):
        text = (run.path / name).read_text()
        for words in (
            "Li Wei",
            "decided: fail over to city2",
            "Recovery as a sum",
            "every second is explained",
            "DatabaseWithoutPrimary",
        ):
            assert words in text, (name, words)
    page = (run.path / "report.html").read_text()
    assert keys[0] in page
    assert "Commits after the new timeline's first acknowledged write: <b>7</b>" in page
    assert page.count("<svg") == 5
    assert 'class="step step-decision"' in page


def test_a_rest_that_no_event_explains_is_called_a_finding(tmp_path: Path) -> None:
    scene = scenes.remote()
    scene = replace(scene, told=tuple(one for one in scene.told if one[2] != "promote.done"))
    run, _ = built(tmp_path, scene)
    measured, _ = judged(run)
    entry = next(one for one in measured.recoveries if one.operation == "transfer")
    assert [part.name for part in entry.parts] == ["detect", "decide", "fence", "unexplained"]
