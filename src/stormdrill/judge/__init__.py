"""Judge: objectives held against measurements. Pure over the run directory; repeat it as you like.

`judge(run)` reads `plan.json` and `measurements.json`, writes `verdict.json` and returns it. Precedence:

1. proven harm is fail, whatever rule is broken and however the run ended;
2. a pass that rests on a broken validity rule is inconclusive;
3. a run with a broken rule, or that was aborted or cut, is at best inconclusive;
4. nothing exercised is inconclusive, never a pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from stormdrill.content.plain import to_plain
from stormdrill.judge.checking import Case, check
from stormdrill.judge.continuity import continuity
from stormdrill.judge.detection import detection
from stormdrill.judge.failover import failover
from stormdrill.judge.hypothesis import hypothesis
from stormdrill.judge.metrics import metrics
from stormdrill.judge.money import money
from stormdrill.judge.rules import validity
from stormdrill.measure import load_measurements
from stormdrill.plan import Plan
from stormdrill.store import Run, read_json, write_json
from stormdrill.verdict import Check, Outcome, Verdict, compose, lower

__all__ = ["judge", "judged"]


def judge(run: Run) -> Verdict:
    """Judge a measured run and store the verdict. InputError when plan or measurements are missing."""
    verdict = judged(run.id, Case(Plan.from_json(read_json(run.plan)), load_measurements(run)))
    write_json(run.verdict, to_plain(verdict.to_json()))
    return verdict


def judged(run: str, case: Case) -> Verdict:
    """The verdict on a case; no file is touched."""
    rules = validity(case)
    broken = [rule.id for rule in rules if rule.verdict is Outcome.INCONCLUSIVE]
    found = [
        *continuity(case),
        *money(case),
        *failover(case),
        *detection(case),
        *metrics(case),
        *_endings(case, broken),
    ]
    checks = tuple(lower(item, broken) for item in found)
    aborts = [end for end in case.measured.ended if end.kind == "abort"]
    failed = [end for end in case.measured.ended if end.kind == "revert.failed"]
    outcome = compose(checks)
    if outcome is Outcome.PASS and (broken or aborts or _cut(case)):
        outcome = Outcome.INCONCLUSIVE
    return Verdict(
        run=run,
        experiment=case.plan.experiment.name,
        verdict=outcome,
        aborted=bool(aborts),
        checks=checks,
        validity=rules,
        aborted_why=f"{aborts[0].by}: {aborts[0].why}" if aborts else "",
        not_reverted=tuple(end.why for end in failed),
        notes=tuple(_notes(case)),
    )


def _endings(case: Case, broken: list[str]) -> Iterator[Check]:
    """The experiment's own hypothesis, and a guard that tripped on what customers were promised."""
    for end in case.measured.ended:
        if end.kind == "abort" and end.by == "guard" and end.objective:
            yield check(
                "guard", "guard", Outcome.FAIL, f"the guard ended the run: {end.why}", value=end.at_s,
                unit="s", window="whole run", evidence=("history.jsonl",),
            )  # fmt: skip
    after = [end for end in case.measured.ended if end.kind == "hypothesis" and end.after_fault]
    if after:
        yield hypothesis(case, after[-1], broken)


def _cut(case: Case) -> bool:
    return any(end.kind in ("cut", "load.died") for end in case.measured.ended)


def _notes(case: Case) -> Iterator[str]:
    yield from case.plan.notes
    if case.plan.topology.audit.kind == "none":
        yield "the books were not audited: data loss is not shown by this run"
    defaults = [one.what for one in case.measured.failover.decisions if one.by_default]
    if defaults:
        what = ", ".join(dict.fromkeys(defaults))
        yield f"decided by default ({what}): the time that people take to decide was not exercised"
    for end in case.measured.ended:
        if end.kind == "cut":
            yield f"the run was cut short: {end.why}"
        if end.kind == "guard.blind":
            yield f"the guard was blind: {end.why}"
