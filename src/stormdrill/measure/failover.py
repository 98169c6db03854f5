"""Everything about a failover and the way back, gathered; nothing of a run without such events."""

from __future__ import annotations

import numpy as np

from stormdrill.measure.alarms import alarms
from stormdrill.measure.books import Books
from stormdrill.measure.canaries import canaries, network
from stormdrill.measure.chronicle import Chronicle
from stormdrill.measure.demand import Demand
from stormdrill.measure.failover_values import NOTHING, UNWATCHED, Decision, Failover, LossThen, Takeover
from stormdrill.measure.forks import Known, duals
from stormdrill.measure.inputs import Inputs
from stormdrill.measure.loss import Intents
from stormdrill.measure.returning import pauses, redundancy
from stormdrill.measure.steps import decisions, steps
from stormdrill.measure.takeovers import takeovers
from stormdrill.units import NS_PER_S


def failover(inputs: Inputs, asked: Demand | None, meant: Intents) -> Failover:
    """The numbers of a failover."""
    story, topology = inputs.story, inputs.plan.topology
    cut = network(story, topology.zones)
    found = takeovers(story, topology.databases, elected=cut)
    told = steps(story)
    seen = canaries(story, topology.zones)
    noticed, decided = alarms(story), decisions(story)
    if not (found or told or seen.pairs or cut or noticed != UNWATCHED):
        return NOTHING
    switched = any(one.phase == "return" for one in found)
    returned = story.way_back() is not None
    return Failover(
        canaries=seen,
        steps=told,
        alarms=noticed,
        decisions=decided,
        takeovers=found,
        duals=duals(found, inputs.forks, Known(meant, inputs.books, inputs.witness.legend, story)),
        loss_then=_loss_then(meant, inputs.books_then, inputs.books, story),
        returned=returned,
        switched_back=switched,
        pauses=pauses(asked, story, inputs.plan) if returned and asked is not None else (),
        redundancy=redundancy(found, story) if any(one.directed for one in found) else (),
        decision_to_write_s=_decision_to_write_s(decided, found, asked, inputs),
    )


def _loss_then(meant: Intents, then: Books | None, now: Books, story: Chronicle) -> LossThen | None:
    """Acknowledged before these books were read, and not in them."""
    if then is None:
        return None
    read_ns = then.read_from_ns
    if then.reader == "none" or read_ns is None or "lost" not in then.shows:
        why = then.why or (
            "nobody said when they were read" if read_ns is None else f"{then.reader} cannot show it"
        )
        return LossThen(False, False, why, None, 0, 0, 0, 0.0, 0, 0, 0)
    told = meant.acknowledged & (meant.acknowledged_ns <= read_ns)
    there, final = np.isin(meant.keys, then.keys), np.isin(meant.keys, now.keys)
    lost = told & ~there
    zero_ns, struck_ns = story.zero_ns, story.struck_ns
    earliest_ns = int(meant.acknowledged_ns[lost].min()) if lost.any() else struck_ns
    known = now.reader != "none"
    return LossThen(
        audited=True,
        complete=then.complete,
        why=then.why,
        read_s=round((read_ns - zero_ns) / NS_PER_S, 6),
        acknowledged=int(told.sum()),
        count=int(lost.sum()),
        amount=int(meant.amount[lost].sum()),
        loss_s=round(max(0.0, (struck_ns - earliest_ns) / NS_PER_S), 6),
        after_t0=int((meant.acknowledged_ns[lost] > struck_ns).sum()),
        late=int((lost & final).sum()) if known else 0,
        since=int((told & there & ~final).sum()) if known else 0,
    )


def _decision_to_write_s(
    decided: tuple[Decision, ...], found: tuple[Takeover, ...], asked: Demand | None, inputs: Inputs
) -> float | None:
    """From the first decision to the first good write of a phone after the promotion; of several cells, the last's."""
    directed = {one.cell: one for one in reversed(found) if one.directed and one.phase != "return"}
    first = next((one.at_s for one in decided if one.at_s >= 0), None)
    if not directed or first is None or asked is None:
        return None
    if any(first > one.done_s for one in directed.values()):
        return None
    written_ns = [_first_write_ns(one, asked, inputs) for one in directed.values()]
    last_ns = max((at_ns for at_ns in written_ns if at_ns is not None), default=0)
    return None if None in written_ns else round((last_ns - inputs.story.zero_ns) / NS_PER_S - first, 6)


def _first_write_ns(directed: Takeover, asked: Demand, inputs: Inputs) -> int | None:
    """When a phone of the cell first had a write done after its promotion."""
    story, operations = inputs.story, inputs.plan.topology.operations
    writes = [
        number
        for number, name in enumerate(asked.legend.operations)
        if name in operations and operations[name].kind.value == "write"
    ]
    from_ns = story.zero_ns + round(directed.first_write_s * NS_PER_S)
    cells = [number for number, name in enumerate(asked.legend.cells) if name == directed.cell]
    good = (
        asked.good
        & (asked.end_ns >= from_ns)
        & np.isin(asked.operation, writes)
        & (asked.due_ns >= from_ns)
        & np.isin(asked.cell, cells)
    )
    return int(asked.end_ns[good].min()) if good.any() else None
