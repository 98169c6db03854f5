"""Recovery of every operation and cell, and of reads and writes of the most important tier together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stormdrill.estate import OperationKind
from stormdrill.measure.chronicle import Chronicle, Fault
from stormdrill.measure.decided import Mark
from stormdrill.measure.demand import Bools, Demand
from stormdrill.measure.parts import marks, parts
from stormdrill.measure.recovery import LOAD_BIN_S, PROBE_BIN_S, Bins, Floats, Span, combined, span
from stormdrill.measure.trust_values import Stretch
from stormdrill.measure.values import Recovery
from stormdrill.plan import Plan
from stormdrill.records.layout import Outcome
from stormdrill.units import NS_PER_S


@dataclass(frozen=True)
class Subject:
    """What recovers: an operation of a cell, or a group of operations."""

    operation: str
    tier: str
    cell: str
    rows: Bools


def recoveries(demand: Demand, story: Chronicle, plan: Plan) -> tuple[Recovery, ...]:
    """One entry per subject and fault; the first fault comes first and counts as the whole run's t0."""
    if story.t0_ns is None:
        return ()
    subjects = [*_operations(demand, plan), *_groups(demand, plan)]
    return tuple(
        _measure(subject, demand, fault, story, plan) for fault in story.faults for subject in subjects
    )


def _operations(demand: Demand, plan: Plan) -> Iterator[Subject]:
    for number, name in enumerate(demand.legend.operations):
        target = plan.topology.operations.get(name)
        for cell_number, cell in enumerate(demand.legend.cells):
            rows = (demand.operation == number) & (demand.cell == cell_number)
            if target is not None:
                yield Subject(name, target.tier, cell, rows)


def _groups(demand: Demand, plan: Plan) -> Iterator[Subject]:
    letters = sorted({target.tier[:1] for target in plan.topology.operations.values()})
    for letter in letters[:1]:
        for word, write in (("reads", False), ("writes", True)):
            numbers = [
                number
                for number, name in enumerate(demand.legend.operations)
                if (target := plan.topology.operations.get(name))
                and target.tier[:1] == letter
                and (target.kind is OperationKind.WRITE) is write
            ]
            if numbers:
                yield Subject(word, letter, "all", np.isin(demand.operation, numbers))


def _measure(subject: Subject, demand: Demand, fault: Fault, story: Chronicle, plan: Plan) -> Recovery:
    rows = demand.select(np.flatnonzero(subject.rows & demand.asked))
    due_s = (rows.due_ns - fault.t0_ns) / NS_PER_S
    # Nothing was watched after the last request of the whole load.
    last_ns = int(demand.due_ns[-1]) + int(LOAD_BIN_S * NS_PER_S) if len(demand) else story.end_ns
    end_s = (min(story.end_ns, last_ns) - fault.t0_ns) / NS_PER_S
    seen = _seen(rows, due_s, plan, end_s)
    # A request that was waiting when the fault came is hurt by it, although it was due before.
    judged = rows.touched_by(fault.t0_ns, fault.t0_ns + int(end_s * NS_PER_S))
    hurt = judged & ~rows.good
    cell = _cell(subject, rows, hurt)
    found = [mark for mark in marks(story.events, fault.t0_ns, cell) if mark.at_ns < story.end_ns]
    value_s = None if seen is None or seen.value_s is None else round(seen.value_s, 6)
    return Recovery(
        operation=subject.operation,
        tier=subject.tier,
        cell=subject.cell,
        fault=fault.name,
        source=seen.source if seen else "none",
        value_s=value_s,
        lower_bound_s=round(seen.lower_bound_s, 6) if seen else 0.0,
        resolution_s=round(seen.resolution_s, 6) if seen else round(max(end_s, 0.0), 6),
        largest_gap_s=round(seen.largest_gap_s, 6) if seen else round(max(end_s, 0.0), 6),
        clean_s=round(seen.clean_s, 6) if seen else 0.0,
        well_at_end=seen.well_at_end if seen else False,
        first_hurt_s=round(float(due_s[hurt].min()), 6) if hurt.any() else None,
        requests=int(judged.sum()),
        hurt=int(hurt.sum()),
        blocked=_blocked(subject, demand, fault, story),
        lost_demand_s=_lost_demand_s(rows, int(hurt.sum()), story),
        relapses=tuple(Stretch(round(a, 6), round(b, 6)) for a, b in (seen.relapses if seen else ())),
        parts=parts(
            found,
            fault.t0_ns,
            value_s,
            _first_good_s(found, rows, fault.t0_ns),
            seen.resolution_s if seen else 0.0,
        ),
    )


def _cell(subject: Subject, rows: Demand, hurt: Bools) -> str:
    """Whose database the recovery waited for: of a subject of all cells, the one with the most hurt requests."""
    cells = rows.legend.cells
    if subject.cell in cells or not cells:
        return subject.cell
    return cells[int(np.bincount(rows.cell[hurt], minlength=len(cells)).argmax())]


def _seen(rows: Demand, due_s: Floats, plan: Plan, end_s: float) -> Span | None:
    health, window_s = plan.experiment.health, plan.experiment.times.window_s
    healthy = rows.good if health.p99_s is None else rows.good & (rows.response_ms <= health.p99_s * 1000)
    found = [
        span(Bins(source, width_s, health.success), due_s[mask], healthy[mask], window_s, end_s)
        for source, width_s, mask in (("probe", PROBE_BIN_S, rows.probe), ("load", LOAD_BIN_S, ~rows.probe))
    ]
    return combined(*found)


def _blocked(subject: Subject, demand: Demand, fault: Fault, story: Chronicle) -> int:
    start, end = np.searchsorted(demand.due_ns, [fault.t0_ns, story.end_ns])
    after = slice(start, end)
    rows = (demand.outcome[after] == Outcome.BLOCKED) & subject.rows[after] & ~demand.excused[after]
    return int(rows.sum())


def _first_good_s(found: Sequence[Mark], rows: Demand, t0_ns: int) -> list[float | None]:
    good_ns = rows.due_ns[rows.good]
    where = np.searchsorted(good_ns, [mark.at_ns for mark in found])
    return [(int(good_ns[i]) - t0_ns) / NS_PER_S if i < len(good_ns) else None for i in where]


def _lost_demand_s(rows: Demand, missing: int, story: Chronicle) -> float | None:
    """Missing good requests over the good rate of steady state: seconds of full outage they amount to."""
    steady = story.phase("steady")
    if steady is None or steady.end_ns <= steady.start_ns:
        return None
    inside = (rows.due_ns >= steady.start_ns) & (rows.due_ns < steady.end_ns) & rows.good
    rate = float(inside.sum()) * NS_PER_S / (steady.end_ns - steady.start_ns)
    return round(missing / rate, 6) if rate else None
