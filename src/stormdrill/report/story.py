"""The failover as a reader follows it: the sum of the recovery, the figures, the steps, and what canaries prove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stormdrill.measure.canary_values import Proof
from stormdrill.measure.failover_values import Alarms, Dual, Failover, Pause, Redundancy, Step
from stormdrill.measure.telling import who
from stormdrill.measure.values import Measurements, Part, Recovery
from stormdrill.report.charts.tracks import numbered
from stormdrill.report.outline import Point, outline
from stormdrill.report.words import NOTHING, seconds
from stormdrill.verdict import Verdict


@dataclass(frozen=True)
class Line:
    """A step of the story; `number` is its mark in the picture, 0 for none."""

    number: int
    step: Step


@dataclass(frozen=True)
class Sum:
    """The recovery of one operation as a sum, parts of one name together; `rest_s` is what nothing explains."""

    operation: str
    tier: str
    total_s: float
    recovery: Recovery
    parts: tuple[tuple[str, float, str], ...]
    rest_s: float


@dataclass(frozen=True)
class Story:
    """What the section shows; None in a run without a failover or a cut network."""

    found: Failover
    points: tuple[Point, ...]
    lines: tuple[Line, ...]
    sum: Sum | None
    figures: tuple[tuple[str, str, str], ...]
    proofs: tuple[Proof, ...]
    duals: tuple[Dual, ...]


def story(measured: Measurements, verdict: Verdict, recoveries: Sequence[Recovery]) -> Story | None:
    """Gather it."""
    found = measured.failover
    if not (found.steps or found.takeovers or found.canaries.pairs or found.canaries.proofs):
        return None
    numbers = {id(step): number for number, step in numbered(found.steps).items()}
    return Story(
        found=found,
        points=outline(measured, verdict, recoveries),
        lines=tuple(Line(numbers.get(id(step), 0), step) for step in found.steps),
        sum=_sum(recoveries) if any(one.directed for one in found.takeovers) else None,
        figures=_figures(found),
        proofs=found.canaries.proofs,
        duals=found.duals,
    )


def _sum(recoveries: Sequence[Recovery]) -> Sum | None:
    """Of the operation of the most important tier that took longest to recover."""
    ended = [entry for entry in recoveries if entry.value_s and entry.parts and entry.cell != "all"]
    if not ended:
        return None
    most = min(entry.tier[:1] for entry in ended)
    worst = max((one for one in ended if one.tier[:1] == most), key=lambda entry: entry.value_s or 0.0)
    by_name: dict[str, list[Part]] = {}
    for part in worst.parts:
        by_name.setdefault(part.name, []).append(part)
    parts = tuple(
        (
            name,
            sum(part.end_s - part.start_s for part in group),
            "; ".join(dict.fromkeys(part.how for part in group)),
        )
        for name, group in by_name.items()
    )
    rest_s = sum(length for name, length, _ in parts if name == "unexplained")
    several = len({entry.cell for entry in ended}) > 1
    name = f"{worst.operation} {worst.cell}" if several else worst.operation
    return Sum(name, most, worst.value_s or 0.0, worst, parts, rest_s)


def _noticed(found: Alarms) -> str:
    """What the first alert was, and which were no news."""
    if found.rules is None:
        said = "the alerts were not watched"
    elif found.first:
        said = ", ".join(dict.fromkeys(one.alert for one in found.first))
    else:
        said = f"none of {found.rules} alerting rules fired after t0"
    before = ", ".join(dict.fromkeys(one.alert for one in found.before))
    return f"{said}; on before t0 already: {before}" if before else said


def _figures(found: Failover) -> tuple[tuple[str, str, str], ...]:
    """Name, value and remark of what is published but not graded here."""
    rows = []
    if found.steps:
        rows.append(("first alert", seconds(found.alarms.detected_s), _noticed(found.alarms)))
    if found.decisions:
        names = ", ".join(dict.fromkeys(who(one.actor) for one in found.decisions))
        default = any(one.by_default for one in found.decisions)
        note = f"by {names}" + ("; by default: the time people take was not exercised" if default else "")
        rows.append(("decisions", str(len(found.decisions)), note))
    if found.decision_to_write_s is not None:
        rows.append(
            (
                "decision to first good write",
                seconds(found.decision_to_write_s),
                "of a customer, at the new site",
            )
        )
    several = len({one.cell for one in found.redundancy} | {one.cell for one in found.pauses}) > 1

    def whose(one: Redundancy | Pause) -> str:
        return f" ({one.cell})" if several else ""

    rows += [
        (f"redundant again{whose(one)}", seconds(one.restored_s), one.how or "not seen")
        for one in found.redundancy
    ]
    for pause in found.pauses:
        length = seconds(pause.value_s) if pause.value_s is not None else f"> {seconds(pause.lower_bound_s)}"
        rows.append(
            (
                f"pause of writes in the return{whose(pause)}",
                length,
                f"{pause.hurt} of {pause.requests} writes hurt",
            )
        )
    if found.loss_then is not None and found.loss_then.audited:
        then = found.loss_then
        rows.append(
            (
                "missing after the failover",
                f"{then.count:,}",
                f"of {then.acknowledged:,}; {then.late} found later",
            )
        )
    for proof in found.canaries.proofs:
        back = seconds(proof.back_s) if proof.back_s is not None else NOTHING
        broke = seconds(proof.broke_s) if proof.broke_s is not None else NOTHING
        rows.append(
            (
                f"{proof.fault}: network broken, back",
                f"{broke}, {back}",
                "seen by canaries, from fault and revert on",
            )
        )
    return tuple(rows)
