"""Two cells with known truths: recovery, loss and dual writes of each; what is said of one is never the other's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import failing_over as scenes
import pytest
import two_cells_scene as two
from builder import Outage, Scene, Truth, build

from stormdrill.judge import judge
from stormdrill.measure import Measurements, load_measurements, measure
from stormdrill.report import render
from stormdrill.store import Run
from stormdrill.verdict import Check, Outcome, Verdict

# cell0 loses its primary's zone for 4 s; cell1, whose primary stands in the other zone, goes on.
PARTITION = replace(
    scenes.partition(), outages=(Outage(0, 4.0, cell=0),), leader_change_s=3.0, cells=two.CELLS,
    fault_class="stateless-pod-loss",
)  # fmt: skip


def judged(path: Path, scene: Scene) -> tuple[Run, Truth, Measurements, Verdict]:
    run, truth = build(path / "run", scene, two.plan(scene.fault_class))
    return run, truth, measure(run), judge(run)


def check(verdict: Verdict, name: str) -> Check:
    return next(one for one in (*verdict.checks, *verdict.validity) if one.id == name)


def test_each_cell_recovers_in_its_own_time(tmp_path: Path) -> None:
    _, _, measured, verdict = judged(tmp_path, PARTITION)
    hurt, other = (check(verdict, f"recovery.transfer.{cell}") for cell in two.CELLS)
    assert hurt.measured.value == pytest.approx(4.0, abs=0.2)
    assert (other.verdict, other.measured.value) == (Outcome.PASS, 0)
    assert "was not hurt" in other.why
    parts = {
        one.cell: [part.name for part in one.parts]
        for one in measured.recoveries
        if one.operation == "transfer"
    }
    assert parts["cell0"][0] == "detect and promote"
    assert parts["cell1"] == []
    (writes,) = [one for one in measured.recoveries if one.operation == "writes"]
    assert (writes.cell, writes.parts[0].name) == ("all", "detect and promote")


def test_dual_writes_are_judged_of_every_cell(tmp_path: Path) -> None:
    _, _, _, verdict = judged(tmp_path, PARTITION)
    names = [one.id for one in verdict.checks if one.kind == "dual_writes"]
    assert sorted(names) == ["dual_writes.cell0", "dual_writes.cell1"]
    assert check(verdict, "dual_writes.cell0").verdict is Outcome.PASS
    assert check(verdict, "dual_writes.cell1").verdict is Outcome.NOT_EXERCISED


def test_what_was_lost_is_told_by_cell(tmp_path: Path) -> None:
    scene = replace(PARTITION, lost=frozenset({3, 40, 41, 900, 1001}), ghosts=1)
    run, truth, measured, verdict = judged(tmp_path, scene)
    lost = check(verdict, "lost")
    expected = {cell: sum(truth.cell_of[key] == cell for key in truth.lost) for cell in two.CELLS}
    assert (lost.verdict, lost.measured.value, lost.details["by_cell"]) == (Outcome.FAIL, 5, expected)
    assert min(expected.values()) > 0
    assert f"; by cell: cell0 {expected['cell0']}, cell1 {expected['cell1']}" in lost.why
    assert {one.cell: one.lost.count for one in measured.loss.cells} == expected
    worth = {
        cell: sum(truth.amounts[key] for key in truth.lost if truth.cell_of[key] == cell)
        for cell in two.CELLS
    }
    assert {one.cell: one.lost.amount for one in measured.loss.cells} == worth
    assert [one.cell for one in measured.loss.movements["ghost"]] == ["cell1"]
    assert load_measurements(run) == measured
    render(run)
    page = (run.path / "report.md").read_text()
    assert "## Money by cell" in page
    assert "| transfer cell1 |" in page


def test_invariants_are_asked_of_each_cells_books(tmp_path: Path) -> None:
    _, _, _, verdict = judged(tmp_path, replace(PARTITION, invariant=7))
    found = [one for one in verdict.checks if one.kind == "invariant"]
    assert [one.id for one in found] == ["books.money-is-conserved.cell0", "books.money-is-conserved.cell1"]
    assert "money is conserved (cell1): came out as 7" in found[1].why


@pytest.mark.parametrize(
    ("across", "expected", "why"),
    [
        ({"value": 0, "parts": {"cell0": 700, "cell1": -700}}, Outcome.PASS, "came out as 0, must be 0"),
        (
            {"value": 250, "parts": {"cell0": 700, "cell1": -450}, "odd": {"k1": 200, "k2": 50}},
            Outcome.FAIL,
            "came out as 250, must be 0; by cell: cell0 700, cell1 -450; not matched: k1 (200), k2 (50)",
        ),
        (
            {"value": None, "why": "cell1: no answer"},
            Outcome.INCONCLUSIVE,
            "not be computed: cell1: no answer",
        ),
    ],
)
def test_an_invariant_over_all_cells_is_of_none_of_them(
    tmp_path: Path, across: dict[str, Any], expected: Outcome, why: str
) -> None:
    _, _, _, verdict = judged(tmp_path, replace(PARTITION, across=across))
    (found,) = [one for one in verdict.checks if one.id == "books.money-in-transit-cancels"]
    assert (found.verdict, found.why) == (expected, found.why)
    assert found.why.startswith("money in transit cancels: ")
    assert found.why.endswith(why)
    assert found.details.get("by_cell", {}) == across.get("parts", {})


@pytest.mark.parametrize(
    ("lost", "unread", "expected"),
    [
        (
            frozenset({3, 40, 41, 900, 1001}),
            ("cell1",),
            Outcome.FAIL,
        ),  # what one cell's whole books lack is lost
        (frozenset(), ("cell1",), Outcome.INCONCLUSIVE),
        (frozenset(), ("cell0", "cell1"), Outcome.INCONCLUSIVE),
    ],
)
def test_a_cell_whose_books_were_not_read_proves_nothing_and_hides_nothing(
    tmp_path: Path, lost: frozenset[int], unread: tuple[str, ...], expected: Outcome
) -> None:
    scene = replace(PARTITION, lost=lost, unread=unread)
    _, truth, measured, verdict = judged(tmp_path, scene)
    found = check(verdict, "lost")
    assert found.verdict is expected
    rule = check(verdict, "audit_complete")
    assert rule.verdict is Outcome.INCONCLUSIVE
    assert "cell1: no answer" in rule.why
    if lost:
        mine = [key for key in truth.lost if truth.cell_of[key] == "cell0"]
        assert found.measured.value == len(mine) > 0
        assert "the books of cell1 were not read" in found.why
        assert measured.loss.tallies["unread"].count > 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Measurements, Verdict]:
    run, _ = build(tmp_path_factory.mktemp("two") / "run", two.remote(), two.plan())
    two.write_forks(run, {"cell0": [-0.5], "cell1": [-0.3, -0.2]})
    scenes.write_books_then(run, 44.0, ())
    return run, measure(run), judge(run)


def test_a_failover_of_both_and_the_way_back_pass(whole: tuple[Run, Measurements, Verdict]) -> None:
    _, measured, verdict = whole
    assert verdict.verdict is Outcome.PASS, [one.why for one in (*verdict.checks, *verdict.validity)]
    for name in ("dual_writes", "return.write_pause", "redundancy", "recovery.transfer", "recovery.login"):
        for cell in two.CELLS:
            assert check(verdict, f"{name}.{cell}").verdict is Outcome.PASS
    pauses = [check(verdict, f"return.write_pause.{cell}").measured.value for cell in two.CELLS]
    assert pauses == pytest.approx([3.4, 4.4], abs=0.2)
    assert measured.failover.decision_to_write_s == pytest.approx(10.6, abs=0.2)  # of the cell that was last


def test_each_recovery_is_the_sum_of_its_own_cells_steps(whole: tuple[Run, Measurements, Verdict]) -> None:
    _, measured, _ = whole
    for number, cell in enumerate(two.CELLS):
        entry = next(one for one in measured.recoveries if (one.operation, one.cell) == ("transfer", cell))
        ends = {part.name: part.end_s for part in entry.parts}
        assert ends["fence"] == pytest.approx(two.FENCED_S[cell] if number else 9.4, abs=0.01)
        assert ends["promote"] == pytest.approx(two.PROMOTED_S[cell], abs=0.01)
        assert all(f"({two.CELLS[1 - number]})" not in part.how for part in entry.parts)


def test_each_promotion_needs_the_fence_of_its_own_cell(tmp_path: Path) -> None:
    scene = two.remote()
    told = tuple(
        one for one in scene.told if not (one[2] == "fence.closed" and one[3].get("cell") == "cell1")
    )
    run, _ = build(tmp_path / "run", replace(scene, told=told), two.plan())
    measure(run)
    verdict = judge(run)
    fence = check(verdict, "fence")
    assert fence.verdict is Outcome.FAIL
    assert "cell1-city2-0 was promoted with no fence" in fence.why
    assert check(verdict, "dual_writes.cell0").verdict is Outcome.PASS
    assert check(verdict, "dual_writes.cell1").verdict is Outcome.INCONCLUSIVE


def test_dual_writes_of_one_cell_fail_that_cell(tmp_path: Path) -> None:
    run, _ = build(tmp_path / "run", two.remote(), two.plan())
    # After cell0's first write in the new place, and before cell1's: only the former's are dual.
    two.write_forks(run, {"cell0": [13.0, 13.1], "cell1": [13.0, 13.1]})
    measure(run)
    verdict = judge(run)
    assert (check(verdict, "dual_writes.cell0").verdict, check(verdict, "dual_writes.cell0").measured.value) == (
        Outcome.FAIL, 2,
    )  # fmt: skip
    assert check(verdict, "dual_writes.cell1").verdict is Outcome.PASS


def test_the_story_names_the_cells(whole: tuple[Run, Measurements, Verdict]) -> None:
    run, _, _ = whole
    render(run)
    page = (run.path / "report.md").read_text()
    for words in (
        "fail over cell0 and cell1 from city1 to city2",
        "city1 (cell1) closed for writers, proven",
        "cell1-city2-0 took its first write",
        "writes paused cell0 3.4",
        "cell1: cell1 has both standbys",
        "the last of tier A: ",
        "pause of writes in the return (cell1)",
    ):
        assert words in page, words
    assert "Old timeline of cell1" in (run.path / "report.html").read_text()


def test_a_cell_that_was_not_promoted_fails_by_itself(tmp_path: Path) -> None:
    scene = two.remote()
    told = tuple(
        one for one in scene.told
        if one[1] != "return" and not (one[2].startswith("promote.") and one[3]["database"] == "cell1")
    )  # fmt: skip
    outages = (*scene.outages[:1], replace(scene.outages[1], end_s=90.0))
    run, _ = build(tmp_path / "run", replace(scene, told=told, outages=outages, return_s=None), two.plan())
    measured = measure(run)
    verdict = judge(run)
    assert verdict.verdict is Outcome.FAIL
    assert check(verdict, "recovery.transfer.cell0").verdict is Outcome.PASS
    failed = check(verdict, "recovery.transfer.cell1")
    assert (failed.verdict, "never recovered" in failed.why) == (Outcome.FAIL, True)
    assert check(verdict, "dual_writes.cell1").verdict is Outcome.NOT_EXERCISED
    assert [one.cell for one in measured.failover.takeovers] == ["cell0"]
    entry = next(one for one in measured.recoveries if (one.operation, one.cell) == ("transfer", "cell0"))
    assert "unexplained" not in [part.name for part in entry.parts]
    render(run)
    assert "not every operation of tier A was seen to recover" in (run.path / "report.md").read_text()
