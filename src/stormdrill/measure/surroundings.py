"""What a run's numbers rest on besides the bank, in the judged time: generator, machine and Prometheus."""

from __future__ import annotations

import numpy as np

from stormdrill.measure.chronicle import Chronicle
from stormdrill.measure.demand import Demand
from stormdrill.measure.generator import Seconds, stalls_ns
from stormdrill.measure.series import Floats, Series, increments
from stormdrill.measure.trust_values import Agreement, Freshness, Generator, Machine, PrometheusClock, Stretch
from stormdrill.records.layout import Outcome
from stormdrill.records.reader import Records
from stormdrill.units import NS_PER_MS, NS_PER_S

STARVED_S = (
    15  # pods that start again take all CPU for seconds; that belongs to the fault, not to the machine
)
EDGE_S = 2.0  # both ends of steady are left out of the comparison: a scrape and a request in flight


def generator(seconds: Seconds, demand: Demand | None, story: Chronicle) -> Generator:
    """The generator's health. Probe lateness comes from the records, the rest from the one-second lines."""
    start_ns, end_ns = story.judged_ns
    judged = seconds.between(start_ns, end_ns + NS_PER_S)
    stalls = [(a, b) for a, b in stalls_ns(seconds) if b >= start_ns and a <= end_ns]
    late = _probe_lateness_ms(demand, start_ns, end_ns)
    lateness = judged.lateness_p99_ms
    return Generator(
        seconds=len(judged.t_ns),
        expected_seconds=max(0, (end_ns - start_ns) // NS_PER_S),
        lateness_p99_ms=_percentile(lateness),
        probe_lateness_p99_ms=_percentile(late),
        dropped=int(judged.dropped.sum()),
        offered=int(judged.offered.sum()),
        worst_stall_ms=round(float(judged.stall_ms.max()), 3) if len(judged.stall_ms) else 0.0,
        stalls=tuple(Stretch(_from_zero(a, story), _from_zero(b, story)) for a, b in stalls),
        ended_early_s=_ended_early_s(seconds, demand, story),
    )


def machine(story: Chronicle) -> Machine:
    """CPU pressure of the machine that runs the harness: mean, and the worst mean of 15 s in a row."""
    start_ns, end_ns = story.judged_ns
    some = np.array(
        [
            float(event.data["cpu_some_avg_ratio"])
            for event in story.of("machine.pressure")
            if start_ns <= event.mono_ns < end_ns and event.data.get("cpu_some_avg_ratio") is not None
        ]
    )
    if not len(some):
        return Machine(0, None, None)
    width = min(STARVED_S, len(some))
    worst = float(np.convolve(some, np.ones(width) / width, "valid").max())
    return Machine(len(some), round(float(some.mean()), 6), round(worst, 6))


def freshness(story: Chronicle, max_age_s: float) -> Freshness:
    """How old the newest sample was, second by second; errors and missing seconds are not freshness."""
    start_ns, end_ns = story.judged_ns
    ages = [e for e in story.of("prometheus.sample_age") if start_ns <= e.mono_ns < end_ns]
    errors = [e for e in story.of("prometheus.error") if start_ns <= e.mono_ns < end_ns]
    values = [float(e.data["age_s"]) for e in ages if e.data.get("age_s") is not None]
    marks = np.array([start_ns, *(e.mono_ns for e in ages), end_ns], np.int64)
    hole_s = float(np.diff(np.sort(marks)).max()) / NS_PER_S if len(marks) > 1 else 0.0
    first = errors[0].data if errors else {}
    return Freshness(
        seconds=len(values),
        expected_seconds=max(0, (end_ns - start_ns) // NS_PER_S),
        worst_age_s=round(max(values), 6) if values else None,
        stale_seconds=sum(value > max_age_s for value in values),
        errors=len(errors),
        first_error=str(first.get("error") or first.get("why") or first.get("reason") or "")
        if errors
        else "",
        longest_hole_s=round(hole_s, 6),
    )


def prometheus_clock(story: Chronicle) -> PrometheusClock:
    """The worst that was seen when the two clocks were compared, before the load and after it."""
    events = story.of("prometheus.clock")
    known = [event.data for event in events if event.data.get("offset_s") is not None]
    silent = [str(event.data.get("why", "")) for event in events if event.data.get("offset_s") is None]
    worst = max(known, key=lambda data: abs(float(data["offset_s"])), default={})
    return PrometheusClock(
        compared=len(known),
        offset_s=float(worst["offset_s"]) if worst else None,
        error_s=float(worst.get("error_s") or 0.0) if worst else None,
        why=silent[0] if silent else "",
    )


def agreement(good: Series | None, attempts: Records | None, story: Chronicle) -> Agreement:
    """Good answers in steady state, counted by the phones and by the bank's own metrics."""
    steady = story.phase("steady")
    if good is None:
        return Agreement(None, None, "the topology names no metric good_by_operation")
    if not good.fetched:
        return Agreement(None, None, f"Prometheus did not answer: {good.problem or 'no reason given'}")
    if attempts is None or steady is None:
        return Agreement(None, None, "there was no steady state under load")
    start_ns = steady.start_ns + int(EDGE_S * NS_PER_S)
    end_ns = steady.end_ns - int(EDGE_S * NS_PER_S)
    if end_ns - start_ns < EDGE_S * NS_PER_S:
        return Agreement(None, None, "steady state was too short to compare")
    data = attempts.data
    mine = (
        (data["outcome"] == Outcome.GOOD) & (data["answered_ns"] >= start_ns) & (data["answered_ns"] < end_ns)
    )
    names = set(attempts.legend.operations)
    lines = [line for line in good.lines if line.labels.get("operation", "") in names]
    theirs = 0.0
    for line in lines:
        t_ns, grown = increments(good, line)
        if len(t_ns):
            low, high = np.interp([start_ns, end_ns], t_ns, np.cumsum(grown))
            theirs += float(high - low)
    why = "" if lines else "Prometheus knows none of the operations"
    step = float(mine.sum()) * good.step_s * NS_PER_S / (end_ns - start_ns)
    return Agreement(int(mine.sum()), round(theirs, 3) if lines else None, why, round(step, 3))


def _probe_lateness_ms(demand: Demand | None, start_ns: int, end_ns: int) -> Floats:
    """Sent minus due of probes, which wait for nothing but the generator."""
    if demand is None:
        return np.empty(0)
    rows = demand.probe & (demand.due_ns >= start_ns) & (demand.due_ns < end_ns) & (demand.sent_ns > 0)
    return np.asarray((demand.sent_ns[rows] - demand.due_ns[rows]) / NS_PER_MS)


def _percentile(values: Floats) -> float | None:
    return round(float(np.percentile(values, 99, method="higher")), 3) if len(values) else None


def _from_zero(at_ns: int, story: Chronicle) -> float:
    return round((at_ns - story.zero_ns) / NS_PER_S, 6)


def _ended_early_s(seconds: Seconds, demand: Demand | None, story: Chronicle) -> float | None:
    """How long before the end of the last watched phase the load was gone; None when there was no load."""
    seen = [int(seconds.t_ns[-1])] if len(seconds.t_ns) else []
    if demand is not None and len(demand):
        seen.append(int(demand.due_ns[-1]))
    if not seen:
        return None
    return round(max(0.0, (story.watched_end_ns - max(seen)) / NS_PER_S), 6)
