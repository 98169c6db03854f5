"""PromQL assertions: the samples of each named phase, brought to one number. No data is never a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from stormdrill.measure.chronicle import Chronicle
from stormdrill.measure.series import Floats, Series, within
from stormdrill.measure.values import Asserted
from stormdrill.scenario import Aggregate, Assertion

_AGGREGATE: Mapping[Aggregate, Callable[[Floats], float]] = {
    Aggregate.MAX: lambda values: float(values.max()),
    Aggregate.MIN: lambda values: float(values.min()),
    Aggregate.MEAN: lambda values: float(values.mean()),
    Aggregate.LAST: lambda values: float(values[-1]),
}


@dataclass(frozen=True)
class _Found:
    """One series in one phase, brought to one number."""

    value: float
    series: str
    phase: str
    samples: int


def asserted(assertion: Assertion, series: Series | None, story: Chronicle) -> Asserted:
    """Aggregate each series over each phase and keep the one farthest on the wrong side of the limit.

    Phases are never pooled: a good one must not make up for a bad one, nor lend it samples. `value` is None
    without a single real sample. `samples` counts the real samples of the poorest series and phase, `empty` the
    ones that Prometheus answered with NaN; `missing` are the phases without a real sample.
    """
    found: list[_Found] = []
    missing: list[str] = []
    empty = 0
    for phase in dict.fromkeys(assertion.phases):
        spans = [(one.start_ns, one.end_ns) for one in story.phases if one.name == phase]
        results, nan = _in_phase(assertion, series, phase, spans)
        found += results
        empty += nan
        missing += [] if results else [phase]
    worst = min(found, key=lambda result: _margin(assertion, result.value), default=None)
    return Asserted(
        id=assertion.id,
        query=assertion.query,
        phases=assertion.phases,
        aggregate=str(assertion.aggregate),
        limit=str(assertion.limit),
        holds=None if worst is None else assertion.limit.holds(worst.value),
        min_samples=assertion.min_samples,
        samples=0 if missing else min((result.samples for result in found), default=0),
        empty=empty,
        missing=tuple(missing),
        value=None if worst is None else round(worst.value, 9),
        worst=worst.series if worst else "",
        worst_phase=worst.phase if worst else "",
        problem=_problem(series),
    )


def _in_phase(
    assertion: Assertion, series: Series | None, phase: str, spans: list[tuple[int, int]]
) -> tuple[list[_Found], int]:
    """Each series with a real sample in the phase, and how many samples of all were empty."""
    found, empty = [], 0
    for line in series.lines if series and series.fetched else ():
        values = within(line, spans)
        real = values[~np.isnan(values)]
        empty += len(values) - len(real)
        if len(real):
            found.append(_Found(_AGGREGATE[assertion.aggregate](real), line.name, phase, len(real)))
    return found, empty


def _problem(series: Series | None) -> str:
    if series is None:
        return "no samples were stored"
    if not series.fetched:
        return f"Prometheus did not answer: {series.problem or 'no reason given'}"
    return ""


def _margin(assertion: Assertion, value: float) -> tuple[bool, float]:
    """Sorts the most broken first: not holding, then by how far."""
    sign = -1 if assertion.limit.compare.startswith("<") else 1
    if assertion.limit.compare in ("==", "!="):
        return assertion.limit.holds(value), -abs(value - assertion.limit.value)
    return assertion.limit.holds(value), sign * (value - assertion.limit.value)
