"""The way back, graded like the failover: how long nobody could write, and when the data was safe twice again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stormdrill.estate import OperationKind
from stormdrill.measure.chronicle import Chronicle, as_text
from stormdrill.measure.demand import Demand
from stormdrill.measure.failover_values import Pause, Redundancy, Takeover
from stormdrill.plan import Plan
from stormdrill.units import NS_PER_S


def pauses(demand: Demand, story: Chronicle, plan: Plan) -> tuple[Pause, ...]:
    """The longest pause of writes in the return, by cell; empty without a return."""
    phase = story.way_back()
    if phase is None or not len(demand):
        return ()
    operations = plan.topology.operations
    writes = [
        number
        for number, name in enumerate(demand.legend.operations)
        if name in operations and operations[name].kind is OperationKind.WRITE
    ]
    inside = (demand.due_ns >= phase.start_ns) & (demand.due_ns < min(phase.end_ns, story.end_ns))
    rows = inside & demand.asked & np.isin(demand.operation, writes)
    found = []
    for number, cell in enumerate(demand.legend.cells):
        one = demand.select(np.flatnonzero(rows & (demand.cell == number)))
        if len(one):
            found.append(_pause(cell, one, story))
    return tuple(found)


def _pause(cell: str, rows: Demand, story: Chronicle) -> Pause:
    """From the due time of the first write that was not good to that of the next good one."""
    spans = sorted(_spans(rows), key=lambda span: (span[1] is None, span[2]))
    hurt = int((~rows.good).sum())
    if not spans:
        apart_ns = np.diff(rows.due_ns)
        gap_s = round(float(apart_ns.max()) / NS_PER_S, 6) if len(apart_ns) else 0.0
        return Pause(cell, 0.0, 0.0, gap_s, None, len(rows), hurt)
    start_ns, end_ns, last_ns = spans[-1][0], spans[-1][1], spans[-1][2] + spans[-1][0]
    before = rows.due_ns[rows.due_ns < start_ns]
    edges_ns = [start_ns - int(before[-1])] if len(before) else []
    edges_ns += [end_ns - last_ns] if end_ns is not None else []
    return Pause(
        cell=cell,
        value_s=None if end_ns is None else round((end_ns - start_ns) / NS_PER_S, 6),
        lower_bound_s=round((last_ns - start_ns) / NS_PER_S, 6),
        resolution_s=round(max(edges_ns, default=0) / NS_PER_S, 6),
        at_s=round((start_ns - story.zero_ns) / NS_PER_S, 6),
        requests=len(rows),
        hurt=hurt,
    )


def _spans(rows: Demand) -> Iterator[tuple[int, int | None, int]]:
    """Stretches without a good write: first bad due, next good due (None: none came), first to last bad."""
    bad = np.r_[False, ~rows.good, False]
    edges = np.flatnonzero(bad[1:] != bad[:-1])
    for start, end in edges.reshape(-1, 2):
        first, last = int(rows.due_ns[start]), int(rows.due_ns[end - 1])
        yield first, int(rows.due_ns[end]) if end < len(rows) else None, last - first


def redundancy(found: tuple[Takeover, ...], story: Chronicle) -> tuple[Redundancy, ...]:
    """Of each cell that changed hands: when its last leader had a synchronous standby again."""
    last = {one.cell: one for one in found}
    return tuple(_redundancy(one, story) for _, one in sorted(last.items()))


def _redundancy(one: Takeover, story: Chronicle) -> Redundancy:
    changed_ns = story.zero_ns + round(one.done_s * NS_PER_S)
    told = [e for e in story.of("db.sync") if e.data.get("database") == one.cell]
    after = [e for e in told if e.mono_ns > changed_ns]
    t0_ns = story.t0_ns if story.t0_ns is not None else changed_ns
    # A director's word covers the other city, too; without one it is known of the pair only.
    told_so = [
        (e.mono_ns, as_text(e.data.get("how")) or "the director said so")
        for e in story.of("redundancy.restored")
        if e.data.get("database") in (one.cell, None) and e.mono_ns > changed_ns
    ]
    said = told_so or [
        (
            e.mono_ns,
            f"synchronous standby {', '.join(map(str, e.data['sync_standbys']))} of {e.data.get('leader')}",
        )
        for e in after
        if e.data.get("sync_standbys")
    ]
    first = min(said, default=None)
    return Redundancy(
        cell=one.cell,
        leader=one.member,
        changed_s=one.done_s,
        restored_s=None if first is None else round((first[0] - changed_ns) / NS_PER_S, 6),
        before=any(e.data.get("sync_standbys") for e in told if e.mono_ns <= t0_ns),
        samples=len(after),
        how=first[1] if first else "",
    )
