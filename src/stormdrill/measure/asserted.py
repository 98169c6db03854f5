"""PromQL assertions: the samples of the named phases, brought to one number. No data is never a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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


def asserted(assertion: Assertion, series: Series | None, story: Chronicle) -> Asserted:
    """Aggregate each series over the phases and keep the one farthest on the wrong side of the limit.

    `value` is None without a single real sample. `samples` counts the real samples of the poorest series,
    `empty` the ones that Prometheus answered with NaN, over all series.
    """
    spans = [(phase.start_ns, phase.end_ns) for phase in story.phases if phase.name in assertion.phases]
    problem = _problem(assertion, series, spans)
    results: list[tuple[float, str, int]] = []
    empty = 0
    for line in series.lines if series and series.fetched else ():
        values = within(line, spans)
        real = values[~np.isnan(values)]
        empty += len(values) - len(real)
        if len(real):
            results.append((_AGGREGATE[assertion.aggregate](real), line.name, len(real)))
    worst = min(results, key=lambda result: _margin(assertion, result[0]), default=None)
    return Asserted(
        id=assertion.id,
        query=assertion.query,
        phases=assertion.phases,
        aggregate=str(assertion.aggregate),
        limit=str(assertion.limit),
        holds=None if worst is None else assertion.limit.holds(worst[0]),
        min_samples=assertion.min_samples,
        samples=min((count for _, _, count in results), default=0),
        empty=empty,
        value=None if worst is None else round(worst[0], 9),
        worst=worst[1] if worst else "",
        problem=problem,
    )


def _problem(assertion: Assertion, series: Series | None, spans: list[tuple[int, int]]) -> str:
    if series is None:
        return "no samples were stored"
    if not series.fetched:
        return f"Prometheus did not answer: {series.problem or 'no reason given'}"
    if not spans:
        return f"the run had no phase {' or '.join(assertion.phases)}"
    return ""


def _margin(assertion: Assertion, value: float) -> tuple[bool, float]:
    """Sorts the most broken first: not holding, then by how far."""
    sign = -1 if assertion.limit.compare.startswith("<") else 1
    if assertion.limit.compare in ("==", "!="):
        return assertion.limit.holds(value), -abs(value - assertion.limit.value)
    return assertion.limit.holds(value), sign * (value - assertion.limit.value)
