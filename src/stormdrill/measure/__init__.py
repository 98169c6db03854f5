"""Measure: from a run directory to numbers with units, resolution and evidence. Pure; repeat it as you like.

`measure(run)` reads the plan, the history, the records, the books and the stored series, writes
`measurements.json` and returns it. The same directory gives the same bytes. Definitions are in the modules:
`recovery` (the clock), `loss` (witness against books), `replication` (what was at risk), `flow`, `asserted`,
`shares` and `timeline` (counts), `failover` (canaries, promotion, fork, return), `surroundings` (may the numbers
be trusted).
"""

from __future__ import annotations

from datetime import UTC, datetime

from stormdrill.content.plain import from_plain, to_plain
from stormdrill.errors import InputError
from stormdrill.measure import surroundings
from stormdrill.measure.asserted import asserted
from stormdrill.measure.canaries import network
from stormdrill.measure.chronicle import Chronicle
from stormdrill.measure.demand import Demand, demand
from stormdrill.measure.endings import endings
from stormdrill.measure.failover import failover
from stormdrill.measure.failover_values import NOTHING
from stormdrill.measure.flow import FlowSeries, flow
from stormdrill.measure.generator import excusing, stalls_ns
from stormdrill.measure.inputs import Inputs, read_inputs
from stormdrill.measure.loss import Intents, intents, loss
from stormdrill.measure.money_values import Loss
from stormdrill.measure.recoveries import recoveries
from stormdrill.measure.replication import allowed_loss_s, risk
from stormdrill.measure.shares import after_fault, by_phase
from stormdrill.measure.timeline import timeline
from stormdrill.measure.trust_values import RecordsState
from stormdrill.measure.values import SCHEMA, FaultMark, Flow, Measurements, PhaseSpan, Timeline
from stormdrill.store import Run, read_json, write_json
from stormdrill.units import NS_PER_S

__all__ = ["Measurements", "load_measurements", "measure"]


def measure(run: Run) -> Measurements:
    """Measure a run and store the result in its directory. InputError when plan or history is missing."""
    measurements = measured(read_inputs(run))
    write_json(run.measurements, to_plain(measurements))
    return measurements


def load_measurements(run: Run) -> Measurements:
    """Read `measurements.json` back. InputError when it is missing or of another schema."""
    raw = read_json(run.measurements)
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise InputError(f"{run.measurements}: not a {SCHEMA}")
    try:
        # A run measured before failovers were, or alerts, has nothing of them.
        found = {**to_plain(NOTHING), **raw.get("failover", {})}
        return from_plain(Measurements, {**raw, "failover": found})
    except ValueError as error:
        raise InputError(f"{run.measurements}: {error}") from None


def measured(inputs: Inputs) -> Measurements:
    """The numbers of a run that was read; no file is touched."""
    story, plan = inputs.story, inputs.plan
    asked = _demand(inputs)
    meant = intents(inputs.witness.data)
    start_ns, end_ns = story.judged_ns
    return Measurements(
        run=inputs.run.id,
        t0_utc=None if story.t0_ns is None else _utc(story, story.t0_ns),
        load_start_utc=_utc(story, story.origin_ns) if story.events else None,
        phases=tuple(
            PhaseSpan(p.name, _from_origin(p.start_ns, story), _from_origin(p.end_ns, story))
            for p in story.phases
        ),
        faults=_faults(story),
        judged_from_s=round((start_ns - story.zero_ns) / NS_PER_S, 6),
        judged_to_s=round((end_ns - story.zero_ns) / NS_PER_S, 6),
        recoveries=recoveries(asked, story, plan) if asked is not None else (),
        hurt=after_fault(asked, story, plan) if asked is not None else (),
        shares=by_phase(asked, story, plan) if asked is not None else (),
        timeline=timeline(asked, story, plan) if asked is not None else Timeline(0.0, {}, (), ()),
        loss=_loss(inputs, meant),
        flow=_flow(inputs, asked),
        asserted=tuple(asserted(item, inputs.series[item.id], story) for item in plan.experiment.assertions),
        generator=surroundings.generator(inputs.seconds, asked, story),
        machine=surroundings.machine(story),
        prometheus=surroundings.freshness(story, plan.topology.prometheus.max_age_s),
        prometheus_clock=surroundings.prometheus_clock(story),
        agreement=surroundings.agreement(inputs.series["_good"], inputs.requests, story),
        records=_records(inputs),
        ended=endings(story),
        clock_spread_s=round(story.wall_spread_s, 6),
        failover=failover(inputs, asked, meant),
    )


def _demand(inputs: Inputs) -> Demand | None:
    if inputs.requests is None:
        return None
    legend = inputs.requests.legend
    operations = inputs.plan.topology.operations
    deadlines_s = [operations[name].deadline_s if name in operations else 0.0 for name in legend.operations]
    stalls = excusing(stalls_ns(inputs.seconds))
    return demand(inputs.requests.data, legend, deadlines_s, stalls, inputs.story.load_end_ns)


def _loss(inputs: Inputs, meant: Intents) -> Loss:
    legend = inputs.witness.legend
    at_risk = risk(
        inputs.story,
        {cell: meant.acknowledged_in(cell, legend) for cell in inputs.plan.topology.databases},
        cut=network(inputs.story, inputs.plan.topology.zones),
        allowed_s=allowed_loss_s(inputs.plan),
    )
    story = inputs.story
    return loss(meant, inputs.books, legend, story.zero_ns, at_risk, struck_ns=story.struck_ns)


def _flow(inputs: Inputs, asked: Demand | None) -> Flow:
    series, control = inputs.series, inputs.plan.experiment.flow_control
    found = FlowSeries(series["_shed"], series["_admitted"], series["_inflight"], series["_limit"])
    order = control.order if control else tuple(sorted({tier[:1] for tier in inputs.plan.topology.tiers}))
    return flow(
        found,
        order,
        control.min_sheds if control else 50,
        inputs.story,
        demand=asked,
        attempts=inputs.requests,
    )


def _faults(story: Chronicle) -> tuple[FaultMark, ...]:
    return tuple(
        FaultMark(
            name=fault.name,
            fault=fault.kind,
            at_s=_from_origin(fault.t0_ns, story),
            t0_s=round((fault.t0_ns - story.zero_ns) / NS_PER_S, 6),
            reverted_s=None
            if fault.reverted_ns is None
            else round((fault.reverted_ns - story.zero_ns) / NS_PER_S, 6),
            proven=fault.proven,
            proof=fault.proof,
            targets=fault.targets,
        )
        for fault in story.faults
    )


def _records(inputs: Inputs) -> RecordsState:
    requests, witness = inputs.requests, inputs.witness
    return RecordsState(
        requests=len(requests.data) if requests else 0,
        witness=len(witness.data),
        bad=(requests.bad if requests else 0) + witness.bad,
        torn_bytes=(requests.torn_bytes if requests else 0) + witness.torn_bytes,
        problems=inputs.problems,
    )


def _from_origin(at_ns: int, story: Chronicle) -> float:
    return round((at_ns - story.origin_ns) / NS_PER_S, 6)


def _utc(story: Chronicle, at_ns: int) -> str:
    return datetime.fromtimestamp(story.unix_s(at_ns), UTC).isoformat(timespec="milliseconds")
