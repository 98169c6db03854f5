"""From a scene to its verdict, and what one of its checks came to."""

from __future__ import annotations

from pathlib import Path

from builder import Scene, build

from stormdrill.judge import judge
from stormdrill.measure import measure
from stormdrill.plan import Plan
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
