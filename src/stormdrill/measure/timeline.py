"""The run second by second, by the second in which requests were due."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stormdrill.measure.chronicle import Chronicle
from stormdrill.measure.demand import Demand
from stormdrill.measure.shares import subjects
from stormdrill.measure.values import Timeline
from stormdrill.plan import Plan
from stormdrill.records.layout import Outcome
from stormdrill.units import NS_PER_S


def timeline(demand: Demand, story: Chronicle, plan: Plan) -> Timeline:
    """Counts per second: offered and what became of it; offered and good by tier; attempts; p50 and p99."""
    if not len(demand):
        return Timeline(0.0, {}, (), ())
    first_s = int((demand.due_ns[0] - story.origin_ns) // NS_PER_S)
    second = (demand.due_ns - story.origin_ns) // NS_PER_S - first_s
    seconds = int(second[-1]) + 1
    dropped = demand.outcome == Outcome.DROPPED
    excused = demand.excused & ~dropped
    counted = ~demand.excused
    masks = {
        "offered": np.ones(len(demand), np.bool_),
        "good": demand.good & counted,
        "late": (demand.outcome == Outcome.GOOD) & ~demand.good & counted,
        "shed": (demand.outcome == Outcome.SHED) & counted,
        "failed": (demand.outcome == Outcome.FAILED) & counted,
        "unknown": (demand.outcome == Outcome.UNKNOWN) & counted,
        "blocked": (demand.outcome == Outcome.BLOCKED) & counted,
        "dropped": dropped,
        "excused": excused,
    }
    for name, mask in subjects(demand, plan):
        if name.startswith("tier "):
            masks[f"{name} offered"] = mask
            masks[f"{name} good"] = mask & demand.good & counted
    series = {name: _per_second(second[mask], seconds) for name, mask in masks.items()}
    series["attempts"] = tuple(np.bincount(second, demand.attempts, seconds).astype(int).tolist())
    answered = (demand.outcome == Outcome.GOOD) & counted & ~np.isnan(demand.response_ms)
    p50, p99 = (_percentile(second[answered], demand.response_ms[answered], seconds, q) for q in (0.50, 0.99))
    return Timeline(float(first_s), series, p50, p99)


def _per_second(second: npt.NDArray[np.int64], seconds: int) -> tuple[int, ...]:
    return tuple(np.bincount(second, minlength=seconds).tolist())


def _percentile(
    second: npt.NDArray[np.int64], values: npt.NDArray[np.float64], seconds: int, share: float
) -> tuple[float | None, ...]:
    """The value at `share` of each second's sorted values (rank rounded up), None in an empty second."""
    order = np.lexsort((values, second))
    counts = np.bincount(second, minlength=seconds)
    starts = np.r_[0, np.cumsum(counts)[:-1]]
    rank = np.maximum(np.ceil(share * counts).astype(np.int64) - 1, 0)
    picked = (
        values[order][np.minimum(starts + rank, max(len(values) - 1, 0))]
        if len(values)
        else np.zeros(seconds)
    )
    return tuple(round(float(v), 3) if n else None for v, n in zip(picked, counts, strict=True))
