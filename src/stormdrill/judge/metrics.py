"""Objectives judged from Prometheus: the experiment's assertions, and flow control where it asks for it.

Who asks for flow control asks to see it: a run in which too little was shed is inconclusive, not a pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from stormdrill.judge.checking import Case, check, percent
from stormdrill.measure.values import Asserted
from stormdrill.verdict import Check, Outcome

DEPENDS = (
    "prometheus_fresh",
    "prometheus_clock",
    "clock_steady",
    "fault_proven",
    "load_ran_to_end",
    "method_ran",
)
REJECT_LIMIT_MS = 100.0


def metrics(case: Case) -> Iterator[Check]:
    """Assertions by phase, then flow control."""
    for item in case.measured.asserted:
        yield _asserted(item)
    control = case.plan.experiment.flow_control
    if control is not None:
        yield _order(case, control.order, control.min_sheds)
        yield _limit(case, control.in_flight_slack)
        yield _rejects(case, control.min_sheds)


def _asserted(item: Asserted) -> Check:
    outcome, why = _judge(item)
    return check(
        f"assert.{item.id}", "assertion", outcome, why, value=item.value, limit=item.limit,
        window=", ".join(item.phases), evidence=(f"series/{item.id}.json",), depends_on=DEPENDS,
        details={"query": item.query, "samples": item.samples, "empty": item.empty},
    )  # fmt: skip


def _judge(item: Asserted) -> tuple[Outcome, str]:
    if item.problem:
        return Outcome.INCONCLUSIVE, item.problem
    if item.value is None or item.holds is None:
        empty = f" ({item.empty} answers were empty)" if item.empty else ""
        return Outcome.INCONCLUSIVE, f"Prometheus had no sample in {', '.join(item.phases)}{empty}"
    of = f" of {item.worst}" if item.worst not in ("", "{}") else ""
    said = f"{item.aggregate} over {item.worst_phase}{of} is {item.value:g}"
    if not item.holds:
        return Outcome.FAIL, f"{said}, must be {item.limit}"
    if item.missing:
        return Outcome.INCONCLUSIVE, f"{said}, but Prometheus had no sample in {', '.join(item.missing)}"
    if item.samples < item.min_samples:
        return (
            Outcome.INCONCLUSIVE,
            f"{said}, but some phase had only {item.samples} samples; {item.min_samples} are required of each",
        )
    return (
        Outcome.PASS,
        f"{said}, the worst of {', '.join(item.phases)} (at least {item.samples} samples each)",
    )


def _order(case: Case, order: tuple[str, ...], min_sheds: int) -> Check:
    """More important tiers must be given up last, at every gateway."""
    flow = case.measured.flow
    total = sum(flow.sheds.values())
    if not flow.measured:
        outcome, why = Outcome.INCONCLUSIVE, flow.why
    elif flow.inversions:
        worst = max(flow.inversions, key=lambda item: item.important_ratio - item.lesser_ratio)
        outcome = Outcome.FAIL
        why = (
            f"{worst.pod} refused {percent(worst.important_ratio)} of tier {worst.important} but only "
            f"{percent(worst.lesser_ratio)} of tier {worst.lesser} {worst.at_s:.0f} s after t0 "
            f"({len(flow.inversions)} inversions in {flow.bins} stretches)"
        )
    elif not flow.bins:
        outcome = Outcome.INCONCLUSIVE
        why = (
            f"never shed {min_sheds} requests: no gateway did for overload within 10 s and with two tiers in "
            f"demand ({total} in the whole run), so the order that the experiment asks for was not seen"
        )
    else:
        outcome = Outcome.PASS
        why = f"in {flow.bins} stretches of 10 s with sheds no gateway refused a more important tier more"
    return check(
        "flow.order", "flow_control", outcome, why, value=len(flow.inversions), unit="inversions",
        limit=f"no inversion ({', '.join(reversed(order))} given up in this order)",
        window="judged time, 10 s by gateway",
        evidence=("series/_shed.json", "series/_admitted.json"), depends_on=DEPENDS,
        details={"sheds": dict(flow.sheds), "client_sheds": dict(flow.client_sheds)},
    )  # fmt: skip


def _limit(case: Case, slack: float) -> Check:
    flow = case.measured.flow
    over = flow.worst_over_limit
    if over is None:
        outcome, why = Outcome.INCONCLUSIVE, f"in-flight requests at admission are not known{_told(flow.why)}"
    elif over > slack:
        outcome, why = Outcome.FAIL, f"a gateway had {over:g} requests in flight above its limit"
    else:
        outcome, why = Outcome.PASS, f"no gateway went above its limit in {flow.inflight_samples} samples"
    return check(
        "flow.limit", "flow_control", outcome, why, value=over, unit="requests", limit=f"<= {slack:g}",
        window="judged time", evidence=("series/_inflight.json", "series/_limit.json"), depends_on=DEPENDS,
    )  # fmt: skip


def _rejects(case: Case, min_sheds: int) -> Check:
    """A refusal must be cheap, or refusing does not protect anything."""
    flow = case.measured.flow
    took_ms = flow.reject_p99_ms
    if took_ms is None or flow.rejects < min_sheds:
        outcome = Outcome.INCONCLUSIVE
        why = f"never refused {min_sheds} requests: {flow.rejects} refusals do not show what refusing costs"
    else:
        outcome = Outcome.PASS if took_ms <= REJECT_LIMIT_MS else Outcome.FAIL
        why = f"99 of 100 refusals took at most {took_ms:.0f} ms ({flow.rejects} refusals)"
    return check(
        "flow.rejects", "flow_control", outcome, why, value=took_ms, unit="ms",
        limit=f"<= {REJECT_LIMIT_MS:g} ms", window="judged time", evidence=("requests/load-0.rec",),
        depends_on=("records_intact", "generator_on_time", "machine_not_starved"),
    )  # fmt: skip


def _told(why: str) -> str:
    return f": {why}" if why else ""
