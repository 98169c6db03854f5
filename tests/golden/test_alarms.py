"""Time to detect: the first alert after the fault, and what is said where none came or nobody looked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builder import Scene, Told
from verdicts import SMALL, outcome, verdict_of

from stormdrill.measure import load_measurements
from stormdrill.store import Run
from stormdrill.verdict import Outcome, Verdict

WATCHED: Told = (-23.0, "prepare", "alert.rules", {"rules": 12, "broken": []})


def alert(at_s: float, name: str, kind: str = "fired", **labels: str) -> Told:
    return (at_s, "recover", f"alert.{kind}", {"alert": name, "labels": labels})


def judged(path: Path, *told: Told) -> tuple[Any, Verdict]:
    scene = replace(Scene(**SMALL), told=told)
    verdict = verdict_of(path, scene)
    return load_measurements(Run(path / "run")).failover.alarms, verdict


EARLY = (alert(-9.0, "DiskFull", pod="x"), alert(-8.0, "Gone"), alert(-4.0, "Gone", "resolved"))
SEEN: dict[str, tuple[tuple[Told, ...], float | None, str]] = {
    "the first after the fault": (
        (WATCHED, alert(4.5, "BankErrors"), alert(3.5, "ZoneDown", zone="city1-a", severity="page")),
        3.5, "the first alert came 3.5 s after t0: ZoneDown (zone city1-a)",
    ),
    "two at one look": (
        (WATCHED, alert(3.5, "A"), alert(3.5, "B")), 3.5, "after t0: A, B",
    ),
    "one that was on before is no detection": (
        (WATCHED, *EARLY, alert(5.0, "ZoneDown")),
        5.0, "5.0 s after t0: ZoneDown; on before t0 already, and no detection: DiskFull (pod x)",
    ),
    "one that came back on is": (
        (WATCHED, *EARLY, alert(2.0, "Gone")), 2.0, "Gone; on before t0 already, and no detection: DiskFull (pod x)",
    ),
    "only one that was on before": (
        (WATCHED, *EARLY), None,
        "none of 12 alerting rules noticed the fault; on before t0 already, and no detection: DiskFull (pod x)",
    ),
    "no rules at all": (
        ((-23.0, "prepare", "alert.rules", {"rules": 0, "broken": []}),), None, "has no alerting rule",
    ),
    "nobody looked": ((), None, "nobody watched the alerts"),
    "it could not be asked": (
        ((-20.0, "prepare", "sampler.failed", {"sampler": "alerts", "why": "404"}),), None,
        "nobody watched the alerts: 404",
    ),
    "a rule that cannot be evaluated": (
        ((-23.0, "prepare", "alert.rules", {"rules": 2, "broken": ["Odd: parse error"]}),), None,
        "cannot be evaluated: Odd: parse error",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_what_is_said_of_detection(tmp_path: Path, name: str) -> None:
    told, detected_s, says = SEEN[name]
    alarms, verdict = judged(tmp_path, *told)
    check = next(one for one in verdict.checks if one.id == "detection")
    assert alarms.detected_s == check.measured.value == detected_s
    assert check.why.endswith(says)
    assert (check.verdict, verdict.verdict) == (Outcome.NOT_EXERCISED, Outcome.PASS)


def test_without_a_fault_nothing_was_to_be_detected(tmp_path: Path) -> None:
    scene = replace(Scene(**SMALL), faults_s=(), told=(WATCHED, alert(3.0, "ZoneDown")))
    verdict = verdict_of(tmp_path, scene)
    assert not [one for one in verdict.checks if one.id == "detection"]
    assert outcome(verdict, "fault_proven") is Outcome.INCONCLUSIVE
