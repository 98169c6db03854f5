"""Flow control: who was given up first, how many were let in against the limit, and what refusing cost.

The order is judged gateway by gateway in stretches of 10 s, one-sided: a more important tier may be shed less
than a lesser one, never more by a margin that the counts cannot explain.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from stormdrill.measure.chronicle import Chronicle
from stormdrill.measure.demand import Bools, Demand
from stormdrill.measure.series import Floats, Series, increments
from stormdrill.measure.values import Flow, Inversion
from stormdrill.records.layout import Legend, Outcome, Reason
from stormdrill.records.reader import Records
from stormdrill.units import NS_PER_MS, NS_PER_S

BIN_NS = 10 * NS_PER_S
MARGIN = 0.05
SIGMAS = 2.33  # one-sided 99 %
MIN_DEMAND = 10  # requests of a tier in one stretch below which its ratio says nothing

Counts = dict[tuple[str, int], dict[str, float]]


@dataclass(frozen=True)
class FlowSeries:
    """The stored series that flow control is judged from; None where the topology names no metric."""

    shed: Series | None
    admitted: Series | None
    inflight: Series | None
    limit: Series | None


def flow(
    found: FlowSeries, order: tuple[str, ...], min_sheds: int, story: Chronicle, *,
    demand: Demand | None, attempts: Records | None,
) -> Flow:  # fmt: skip
    """Measure flow control over the judged time. Without series `measured` is false and `why` says it."""
    why = _missing(found)
    shed = _by_pod(found.shed, story)
    admitted = _by_pod(found.admitted, story)
    judged = list(_judged(shed, admitted, order, min_sheds)) if not why else []
    over, samples = _over_limit(found, story)
    rejects = _rejects_ms(attempts, story)
    return Flow(
        measured=not why,
        why=why,
        sheds=_totals(shed),
        admitted=_totals(admitted),
        bins=len(judged),
        inversions=tuple(_inversions(judged, order, story)),
        worst_over_limit=over,
        inflight_samples=samples,
        client_sheds=_client_sheds(attempts, story),
        reject_p99_ms=round(float(np.percentile(rejects, 99, method="higher")), 3) if len(rejects) else None,
        rejects=len(rejects),
        retry_amplification=_amplification(demand, story),
    )


def _missing(found: FlowSeries) -> str:
    for name, series in (("shed_by_tier", found.shed), ("admitted_by_tier", found.admitted)):
        if series is None:
            return f"the topology names no metric {name}"
        if not series.fetched:
            return f"Prometheus did not answer for {name}: {series.problem or 'no reason given'}"
    return ""


def _by_pod(series: Series | None, story: Chronicle) -> Counts:
    """Growth by (pod, stretch of 10 s) and tier letter, within the judged time."""
    start_ns, end_ns = story.judged_ns
    counts: Counts = {}
    for line in series.lines if series and series.fetched else ():
        t_ns, grown = increments(series, line) if series else (np.empty(0, np.int64), np.empty(0))
        tier = line.labels.get("tier", "")
        inside = (t_ns >= start_ns) & (t_ns < end_ns) & (grown > 0)
        for at_ns, count in zip(t_ns[inside], grown[inside], strict=True):
            key = (line.labels.get("pod", ""), int((at_ns - start_ns) // BIN_NS))
            tiers = counts.setdefault(key, {})
            tiers[tier] = tiers.get(tier, 0.0) + float(count)
    return counts


def _judged(
    shed: Counts, admitted: Counts, order: tuple[str, ...], min_sheds: int
) -> Iterator[tuple[tuple[str, int], dict[str, tuple[float, float]]]]:
    """Stretches with enough sheds and at least two tiers in demand: (sheds, demand) by tier of the order."""
    for key in sorted(shed):
        if sum(shed[key].values()) < min_sheds:
            continue
        tiers = {}
        for tier in order:
            refused = _of(shed[key], tier)
            asked = refused + _of(admitted.get(key, {}), tier)
            if asked >= MIN_DEMAND:
                tiers[tier] = (refused, asked)
        if len(tiers) > 1:
            yield key, tiers


def _of(counts: Mapping[str, float], tier: str) -> float:
    """The count of a tier: `A` stands for A, A1 and A2 as well."""
    return sum(
        count for name, count in counts.items() if name == tier or (len(tier) == 1 and name[:1] == tier)
    )


def _inversions(
    judged: list[tuple[tuple[str, int], dict[str, tuple[float, float]]]],
    order: tuple[str, ...],
    story: Chronicle,
) -> Iterator[Inversion]:
    start_ns = story.judged_ns[0]
    for (pod, stretch), tiers in judged:
        for important, lesser in itertools.combinations([tier for tier in order if tier in tiers], 2):
            (up_shed, up_asked), (low_shed, low_asked) = tiers[important], tiers[lesser]
            up, low = up_shed / up_asked, low_shed / low_asked
            pooled = (up_shed + low_shed) / (up_asked + low_asked)
            noise = SIGMAS * math.sqrt(pooled * (1 - pooled) * (1 / up_asked + 1 / low_asked))
            if up - low > MARGIN + noise:
                at_s = (start_ns + stretch * BIN_NS - story.zero_ns) / NS_PER_S
                sheds = int(sum(refused for refused, _ in tiers.values()))
                yield Inversion(pod, round(at_s, 3), important, lesser, round(up, 6), round(low, 6), sheds)


def _over_limit(found: FlowSeries, story: Chronicle) -> tuple[float | None, int]:
    """The most that a gateway's in-flight high-water stood above its limit (negative: below), and samples."""
    if not (found.inflight and found.limit and found.inflight.fetched and found.limit.fetched):
        return None, 0
    start_ns, end_ns = story.judged_ns
    limits = {
        (line.labels.get("pod", ""), int(t)): float(value)
        for line in found.limit.lines
        for t, value in zip(line.t_ns, line.values, strict=True)
        if not math.isnan(value)
    }
    over = [
        float(value) - limits[key]
        for line in found.inflight.lines
        for t, value in zip(line.t_ns, line.values, strict=True)
        if start_ns <= t < end_ns and not math.isnan(value)
        and (key := (line.labels.get("pod", ""), int(t))) in limits
    ]  # fmt: skip
    return (max(over), len(over)) if over else (None, 0)


def _rejects_ms(attempts: Records | None, story: Chronicle) -> Floats:
    """How long each refusal for overload or rate took, from its own sending."""
    if attempts is None:
        return np.empty(0)
    rows = attempts.data[_shed_rows(attempts, story)]
    return np.asarray((rows["answered_ns"] - rows["sent_ns"]) / NS_PER_MS)


def _client_sheds(attempts: Records | None, story: Chronicle) -> dict[str, int]:
    if attempts is None:
        return {}
    legend: Legend = attempts.legend
    rows = attempts.data[_shed_rows(attempts, story) & (attempts.data["reason"] == Reason.OVERLOAD)]
    found: dict[str, int] = {}
    for tier, count in zip(
        legend.tiers, np.bincount(rows["operation"], minlength=len(legend.tiers)), strict=False
    ):
        found[tier] = found.get(tier, 0) + int(count)
    return {tier: count for tier, count in sorted(found.items()) if count}


def _shed_rows(attempts: Records, story: Chronicle) -> Bools:
    start_ns, end_ns = story.judged_ns
    data = attempts.data
    answered = (data["answered_ns"] >= start_ns) & (data["answered_ns"] < end_ns)
    return np.asarray((data["outcome"] == Outcome.SHED) & answered & (data["sent_ns"] > 0))


def _totals(counts: Counts) -> dict[str, int]:
    found: dict[str, float] = {}
    for tiers in counts.values():
        for tier, count in tiers.items():
            found[tier] = found.get(tier, 0.0) + count
    return {tier: round(count) for tier, count in sorted(found.items())}


def _amplification(demand: Demand | None, story: Chronicle) -> float | None:
    """Attempts over first attempts in the judged time."""
    if demand is None:
        return None
    start_ns, end_ns = story.judged_ns
    sent = demand.attempts[(demand.due_ns >= start_ns) & (demand.due_ns < end_ns) & (demand.attempts > 0)]
    return round(float(sent.sum()) / len(sent), 6) if len(sent) else None
