"""A failover that people did by a runbook during a drill: its own history counts as the drill's."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import failing_over as scenes
import pytest
from builder import T0, WALL, S, Told, build
from scene import Scene

from stormdrill.judge import judge
from stormdrill.measure import Measurements, measure
from stormdrill.report import render
from stormdrill.store import Run
from stormdrill.verdict import Outcome, Verdict

BY_BOOK = frozenset({"decision", "promote.started", "promote.done", "fence.closed", "route.changed"})
STEPS: tuple[Told, ...] = (
    (4.5, "recover", "runbook.start", {"name": "remote-failover"}),
    (
        7.9,
        "recover",
        "approval",
        {"what": "Two people agree", "people": ["Li Wei", "Zhao Min"], "actor": "Li Wei"},
    ),
    (
        9.5,
        "recover",
        "step.done",
        {"number": 8, "title": "Close city1", "result": "done", "actor": "Chen Jie"},
    ),
    (9.6, "recover", "step.done", {"number": 7, "title": "Decide", "result": "decided", "actor": "Li Wei"}),
)


def split(
    path: Path,
    *,
    clock_s: float = 0.0,
    extra: tuple[Told, ...] = (),
    scene: Scene | None = None,
    until_s: float = 40.0,
) -> Run:
    """The failover of `remote`, with what people did out of it in a history of the runbook's own.

    `clock_s` is how far that history's monotonic clock is from the drill's; its wall clock is the same. What happened
    `until_s` is people's.
    """
    scene = scene or scenes.remote()
    people = [one for one in scene.told if one[2] in BY_BOOK and one[0] < until_s]
    drill = replace(scene, told=tuple(one for one in scene.told if one not in people))
    run, _ = build(path / "run", drill, scenes.two_cities("city-loss"))
    lines = [
        _line(seq, one, clock_s)
        for seq, one in enumerate(sorted([*people, *STEPS, *extra], key=lambda one: one[0]))
    ]
    (run.path / "runbook").mkdir()
    (run.path / "runbook" / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


def _line(seq: int, told: Told, clock_s: float) -> dict[str, Any]:
    at_s, _, kind, data = told
    mono_ns = T0 + round(at_s * S)
    utc = datetime.fromtimestamp((mono_ns + WALL) / S, UTC).isoformat(timespec="microseconds")
    actor = data.get("actor", "Chen Jie")
    mono_ns += round(clock_s * S)
    return {
        "seq": seq,
        "mono_ns": mono_ns,
        "utc": utc,
        "phase": "recover",
        "actor": actor,
        "kind": kind,
        "data": data,
    }


def judged(run: Run) -> tuple[Measurements, Verdict]:
    return measure(run), judge(run)


@pytest.mark.parametrize("clock_s", [0.0, 5_000.0])
def test_who_decided_and_when_is_the_runbooks_word(tmp_path: Path, clock_s: float) -> None:
    measured, verdict = judged(split(tmp_path, clock_s=clock_s))
    (first, *_) = measured.failover.decisions
    assert (first.actor, first.at_s) == ("Li Wei", pytest.approx(8.0, abs=0.001))
    entry = next(one for one in measured.recoveries if one.operation == "transfer")
    parts = [(part.name, round(part.end_s - part.start_s, 1)) for part in entry.parts]
    assert parts == [("detect", 3.2), ("decide", 4.8), ("fence", 1.4), ("promote", 2.6), ("route", 4.4)]
    (takeover, *_) = measured.failover.takeovers
    assert (takeover.directed, takeover.decided, takeover.phase) == (True, True, "recover")
    assert {one.id: one.verdict for one in verdict.validity if one.verdict is not Outcome.PASS} == {}


def test_steps_stand_in_the_story_and_a_decision_only_once(tmp_path: Path) -> None:
    run = split(tmp_path)
    measured, _ = judged(run)
    said = [one.what for one in measured.failover.steps]
    assert "runbook step 8 done: Close city1" in said
    assert not any("Decide" in text for text in said)
    render(run)
    text = (run.path / "report.html").read_text()
    assert "runbook step 8 done: Close city1" in text
    assert "Li Wei" in text


def test_the_old_timeline_that_people_kept_beside_their_history_is_read(tmp_path: Path) -> None:
    run = split(tmp_path)
    scenes.write_fork(run, [], commits_s=[-0.2])
    (kept,) = run.path.glob("fork*.json")
    before = measure(run).failover.duals
    kept.rename(run.path / "runbook" / kept.name)
    assert measure(run).failover.duals == before
    assert [dual.fork for dual in before] == ["read"]


def test_what_was_done_after_the_drill_changes_nothing(tmp_path: Path) -> None:
    later = scenes.person(500.0, "start city1 again")
    run = split(tmp_path)
    before = measure(run)
    again = split(tmp_path / "again", extra=(later,))
    assert measure(again).failover == before.failover


def test_a_damaged_history_of_people_is_doubt(tmp_path: Path) -> None:
    run = split(tmp_path)
    path = run.path / "runbook" / "history.jsonl"
    path.write_text(path.read_text().replace('"seq": 2', '"seq" 2'))
    _, verdict = judged(run)
    (rule,) = [one for one in verdict.validity if one.id == "records_intact"]
    assert rule.verdict is Outcome.INCONCLUSIVE


def test_the_way_back_that_people_made_is_a_return_and_no_second_failover(tmp_path: Path) -> None:
    """The drill has no return of its own: all that it knows of theirs is what the runbook's history tells."""
    begun: Told = (
        45.5,
        "return",
        "return.started",
        {"database": "cell0", "region": "city1", "source": "city2"},
    )
    whole: Told = (
        66.0,
        "return",
        "redundancy.restored",
        {"database": "cell0", "how": "both follow", "took_s": 20.5},
    )
    mine, _ = judged(build(tmp_path / "drill", scenes.remote(), scenes.two_cities("city-loss"))[0])
    run = split(tmp_path, scene=scenes.remote(return_s=None), until_s=90.0, extra=(begun, whole))
    measured, verdict = judged(run)
    assert [one.phase for one in measured.failover.takeovers] == ["recover", "return"]
    assert (measured.failover.returned, measured.failover.switched_back) == (True, True)
    assert [one.value_s for one in measured.failover.pauses] == [one.value_s for one in mine.failover.pauses]
    assert [one.restored_s for one in measured.failover.redundancy] == [5.5]
    found = {one.id: one.verdict for one in verdict.checks}
    assert found["fence"] is Outcome.PASS
