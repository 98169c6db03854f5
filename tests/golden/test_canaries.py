"""Cut networks: what canaries must have seen for a fault, and its end, to count as proven."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builder import Scene, build
from failing_over import canaries, cut, partition, seen_from_outside, two_cities

from stormdrill.judge import judge
from stormdrill.measure import measure
from stormdrill.verdict import Outcome, Verdict

SEEN = seen_from_outside(["city1-a"])
PAIR = ("city1-b", "city1-a", "tcp-new")
REVERTING = (30.0, "revert", "fault.reverting", {"name": "kill-1"})


def told(broken: dict[Any, Any], **more: Any) -> dict[str, Any]:
    return {"told": (*canaries(broken, dark=more.pop("dark", ["city1-a"]), **more), REVERTING)}


def verdict_of(path: Path, scene: Scene) -> Verdict:
    run, _ = build(path / "run", scene, two_cities())
    measure(run)
    return judge(run)


def rule(verdict: Verdict, name: str) -> tuple[Outcome, str]:
    return next((one.verdict, one.why) for one in verdict.validity if one.id == name)


def test_a_cut_that_broke_what_it_cuts_and_came_back_is_proven(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, partition())
    assert rule(verdict, "fault_proven") == (
        Outcome.PASS,
        "1 fault(s) applied and proven: canaries saw 9 flows break within 1.4 s, and 21 others stay",
    )
    assert rule(verdict, "revert_proven") == (
        Outcome.PASS,
        "every canary that was green before was green again, the last 1.2 s after the revert began",
    )
    assert verdict.verdict is Outcome.PASS
    dual = next(check for check in verdict.checks if check.id == "dual_writes")
    assert dual.verdict is Outcome.NOT_EXERCISED


NOT_PROVEN: dict[str, tuple[dict[str, Any], str]] = {
    "did not break": (
        told({name: when for name, when in SEEN.items() if name != PAIR}),
        "city1-b -> city1-a (tcp-new) did not break",
    ),
    "broke late": (told({**SEEN, PAIR: (7.5, 31.0)}), "(tcp-new) broke only 7.5 s after the fault"),
    "came back early": (
        told({**SEEN, PAIR: (1.4, 22.0)}),
        "(tcp-new) came back 22.0 s after the fault, before",
    ),
    "was down before": (told({**SEEN, PAIR: (-5.0, 31.0)}), "(tcp-new) was down before the fault"),
    "was never seen": (told(SEEN, unseen=[PAIR]), "(tcp-new) was never seen before the fault"),
    "broke wrongly": (
        told({**SEEN, ("city1-b", "city2-a", "udp"): (6.0, 31.0)}),
        "city1-b -> city2-a (udp) broke 6.0 s after the fault, which does not cut it",
    ),
    "broke the way to the control plane of others": (
        told({**SEEN, ("city1-b", "control-plane", "control-plane"): (6.0, 31.0)}),
        "city1-b -> control-plane (control-plane) broke",
    ),
    "no canary at all": ({"told": (REVERTING,)}, "no canary was seen"),
}


@pytest.mark.parametrize("name", NOT_PROVEN)
def test_a_pair_that_did_otherwise_is_named_and_nothing_is_concluded(tmp_path: Path, name: str) -> None:
    changes, said = NOT_PROVEN[name]
    verdict = verdict_of(tmp_path, partition(**changes))
    outcome, why = rule(verdict, "fault_proven")
    assert outcome is Outcome.INCONCLUSIVE
    assert said in why
    assert verdict.verdict is Outcome.INCONCLUSIVE


def test_a_fault_that_ended_by_itself_on_a_node_is_not_proven(tmp_path: Path) -> None:
    """The zone's other nodes hold it, so no canary tells."""
    early = (20.0, "recover", "fault.ended_early", {"name": "kill-1", "node": "n2", "reason": "stopped"})
    scene = partition()
    said = rule(verdict_of(tmp_path, replace(scene, told=(*scene.told, early))), "fault_proven")
    assert said == (
        Outcome.INCONCLUSIVE, "ended before it was to: kill-1: by itself on n2 (stopped)",
    )  # fmt: skip


def test_what_does_not_come_back_is_no_revert(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, partition(**told({**SEEN, PAIR: (1.4, None)})))
    outcome, why = rule(verdict, "revert_proven")
    assert (outcome, verdict.verdict) == (Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE)
    assert why == "not back after kill-1: city1-b -> city1-a (tcp-new)"


def test_what_nobody_tells_of_is_neither_broken_nor_whole(tmp_path: Path) -> None:
    word = {"zone": "city1-b", "peer": "city2-a", "path": "udp"}
    gone = (10.0, "recover", "canary.changed", {**word, "up": None})
    back = (12.0, "recover", "canary.changed", {**word, "up": True})
    scene = partition()
    again = verdict_of(tmp_path / "a", replace(scene, told=(*scene.told, gone, back)))
    assert again.verdict is Outcome.PASS
    never = verdict_of(tmp_path / "b", replace(scene, told=(*scene.told, gone)))
    assert rule(never, "fault_proven")[0] is Outcome.PASS
    assert rule(never, "revert_proven") == (
        Outcome.INCONCLUSIVE,
        "not back after kill-1: city1-b -> city2-a (udp)",
    )
    silent = tuple(
        (*one[:3], {**one[3], "up": None}) if one[2] == "canary.changed" and one[3]["up"] is False else one
        for one in scene.told
    )
    assert "did not break" in rule(verdict_of(tmp_path / "c", replace(scene, told=silent)), "fault_proven")[1]


def test_the_way_to_the_database_may_end_elsewhere(tmp_path: Path) -> None:
    word = {"zone": "city1-b", "peer": "city1-a", "path": "database"}
    gone = [
        (at_s, "steady", "canary.changed", {**word, "up": up}) for at_s, up in ((-24.0, True), (9.0, False))
    ]
    scene = partition()
    assert verdict_of(tmp_path, replace(scene, told=(*scene.told, *gone))).verdict is Outcome.PASS


def test_harm_stays_harm_whatever_the_canaries_say(tmp_path: Path) -> None:
    scene = replace(partition(told=(REVERTING,)), lost=frozenset({3}))
    assert verdict_of(tmp_path, scene).verdict is Outcome.FAIL


@pytest.mark.parametrize(("hears", "expected"), [(False, Outcome.INCONCLUSIVE), (True, Outcome.PASS)])
def test_a_one_way_cut_breaks_every_tcp_and_one_udp(tmp_path: Path, hears: bool, expected: Outcome) -> None:
    tcp = {
        (a, b, path): (1.4, 31.0)
        for a, b in (("city1-a", "city1-b"), ("city1-b", "city1-a"))
        for path in ("tcp-held", "tcp-new")
    }
    deaf = {("city1-a", "city1-b", "udp"): (1.4, 31.0)}
    other = {} if hears else {("city1-b", "city1-a", "udp"): (1.4, 31.0)}
    changes = told({**tcp, **deaf, **other}, dark=())
    verdict = verdict_of(tmp_path, partition(where=(cut(from_="city1-b", ways=("in",)),), **changes))
    assert rule(verdict, "fault_proven")[0] is expected


def test_faults_that_overlap_explain_each_others_pairs(tmp_path: Path) -> None:
    """What the second cuts broke under the first, which does not cut it."""
    ways = {("city1-a", "city1-b"): 1.4, ("city1-a", "city2-a"): 9.4}
    broken = {
        (zone, peer, path): (at_s, 31.0)
        for (a, b), at_s in ways.items()
        for zone, peer in ((a, b), (b, a))
        for path in ("tcp-held", "tcp-new", "udp")
    }
    second = {"fault": "partition", "name": "second", "t0_ns": 1008 * 10**9, "targets": [cut(from_="city2")]}
    told_too = (
        (8.0, "recover", "fault.applied", second),
        (30.0, "revert", "fault.reverting", {"name": "second"}),
    )
    for extra, faulty in ((told_too, [0, 0]), ((), [6])):
        scene = partition(where=(cut(from_="city1-b"),), told=(*canaries(broken), REVERTING, *extra))
        run, _ = build(tmp_path / str(len(extra)) / "run", scene, two_cities())
        proofs = measure(run).failover.canaries.proofs
        assert [len(proof.faulty) for proof in proofs] == faulty
