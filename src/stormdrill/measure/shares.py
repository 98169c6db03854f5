"""Counts, success ratio and latency of a subject (an operation, a tier, everything) in a phase."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stormdrill.measure.chronicle import Chronicle
from stormdrill.measure.demand import Bools, Demand
from stormdrill.measure.values import Share
from stormdrill.plan import Plan
from stormdrill.records.layout import Outcome

AFTER_FAULT = "after fault"


def share(subject: str, phase: str, rows: Demand, mask: Bools) -> Share:
    """Count rows by what became of them. Percentiles are over right answers, counted from the due time."""
    counted = np.flatnonzero(mask & ~rows.excused)
    outcome, response_ms = rows.outcome[counted], rows.response_ms[counted]
    of = np.bincount(outcome, minlength=len(Outcome))
    good = int(rows.good[counted].sum())
    dropped = int((rows.outcome[mask] == Outcome.DROPPED).sum())
    answered = response_ms[(outcome == Outcome.GOOD) & ~np.isnan(response_ms)]
    p50, p99 = np.percentile(answered, [50, 99], method="higher") if len(answered) else (None, None)
    return Share(
        subject=subject,
        phase=phase,
        requests=len(counted),
        good=good,
        late=int(of[Outcome.GOOD]) - good,
        shed=int(of[Outcome.SHED]),
        failed=int(of[Outcome.FAILED]),
        unknown=int(of[Outcome.UNKNOWN]),
        blocked=int(of[Outcome.BLOCKED]),
        dropped=dropped,
        excused=int(mask.sum()) - len(counted) - dropped,
        p50_ms=None if p50 is None else round(float(p50), 3),
        p99_ms=None if p99 is None else round(float(p99), 3),
        attempts=int(rows.attempts[counted].sum()),
    )


def by_phase(demand: Demand, story: Chronicle, plan: Plan) -> tuple[Share, ...]:
    """Every subject in every phase in which requests were due."""
    found = []
    for phase in story.phases:
        start, end = np.searchsorted(demand.due_ns, [phase.start_ns, phase.end_ns])
        if start == end:
            continue
        rows = demand.select(slice(start, end))
        found += [share(name, phase.name, rows, mask) for name, mask in subjects(rows, plan)]
    return tuple(item for item in found if item.requests or item.dropped or item.excused)


def after_fault(demand: Demand, story: Chronicle, plan: Plan) -> tuple[Share, ...]:
    """Every subject from t0 to the end, with the requests that were waiting at t0; empty without a fault."""
    if story.t0_ns is None:
        return ()
    rows = demand.select(np.flatnonzero(demand.touched_by(story.t0_ns, story.end_ns)))
    return tuple(share(name, AFTER_FAULT, rows, mask) for name, mask in subjects(rows, plan))


def subjects(rows: Demand, plan: Plan) -> Iterator[tuple[str, Bools]]:
    """`all`, each tier letter as `tier A`, and each operation, with the mask of its rows."""
    tiers = np.array([*(_tier(name, plan) for name in rows.legend.operations), ""])
    letters = tiers[rows.operation] if len(rows) else np.empty(0, tiers.dtype)
    yield "all", np.ones(len(rows), np.bool_)
    for letter in sorted(set(tiers[:-1].tolist()) - {""}):
        yield f"tier {letter}", letters == letter
    for number, name in enumerate(rows.legend.operations):
        yield name, rows.operation == number


def _tier(operation: str, plan: Plan) -> str:
    target = plan.topology.operations.get(operation)
    return target.tier[:1] if target else ""
