"""What stood between an acknowledged write and its loss at t0: replication, and the writes inside its lag.

Each cell has a database and customers of its own. The run's risk is that of the cell which had most at risk; a
cell of which nothing is known comes before all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stormdrill.estate import OperationKind
from stormdrill.history import Event
from stormdrill.measure.chronicle import Chronicle
from stormdrill.measure.loss import Ints
from stormdrill.measure.money_values import Risk
from stormdrill.measure.telling import site_of
from stormdrill.plan import Plan
from stormdrill.units import NS_PER_S

# From what may be lost to what cannot.
_PATHS = ("unknown", "out_of_sync", "asynchronous", "synchronous", "not_switched")
_FOLLOWS = ("streaming", "running")  # what a standby says of itself while it follows
FRESH_S = 3.0  # sync state is sampled once a second; an older sample says nothing about t0


@dataclass(frozen=True)
class Sync:
    """One `db.sync` event."""

    at_ns: int
    leader: str | None
    standbys: tuple[str, ...]
    members: tuple[dict[str, Any], ...]


def allowed_loss_s(plan: Plan) -> float:
    """The strictest data-loss target of the writing operations, seconds; 0 when none is stated."""
    operations = plan.topology.operations
    found = [
        target.data_loss_s
        for target in plan.targets.values()
        if target.data_loss_s is not None and operations[target.operation].kind is OperationKind.WRITE
    ]
    return min(found, default=0.0)


def risk(
    story: Chronicle, acknowledged_ns: Mapping[str, Ints], *, cut: bool = False, allowed_s: float = 0.0
) -> Risk:
    """The state of replication when the first fault came.

    `acknowledged_ns` has the times of acknowledgements by cell, for each cell with a database. `cut`: a fault of
    the network was applied, so a standby that had been synchronous and was not at t0 is out of sync. `allowed_s`:
    the loss that is allowed.
    """
    if not acknowledged_ns:
        return Risk("none", (), None, 0, None, "the topology names no database: replication is not known")
    if story.t0_ns is None:
        return Risk("unknown", (), None, None, None, "no fault was applied")
    found = {
        cell: _remote(story, event, cell, times_ns)
        if (event := _directed(story, cell))
        else _risk(story, cell, times_ns, cut=cut)
        for cell, times_ns in acknowledged_ns.items()
    }
    cell, worst = min(found.items(), key=lambda item: _gravity(item[1]))
    if worst.path == "asynchronous":
        counts = [
            _within(story, acknowledged_ns[name], allowed_s)
            for name, one in found.items()
            if one.path == "asynchronous"
        ]
        worst = replace(worst, allowed_s=allowed_s, within_allowed=min(counts))
    return worst if len(found) == 1 else replace(worst, why=f"{cell}: {worst.why}")


def _gravity(risk: Risk) -> tuple[int, bool, int]:
    return _PATHS.index(risk.path), risk.at_risk is not None, -(risk.at_risk or 0)


def _risk(story: Chronicle, cell: str, acknowledged_ns: Ints, *, cut: bool) -> Risk:
    t0_ns = story.zero_ns
    found = [_sync(event) for event in story.of("db.sync") if event.data.get("database") == cell]
    before = [sync for sync in found if sync.at_ns <= t0_ns]
    age_s = round((t0_ns - before[-1].at_ns) / NS_PER_S, 6) if before else None
    if not before or age_s is None or age_s > FRESH_S:
        known = f"the last sample was {age_s:.1f} s old at t0" if age_s is not None else "no sample before t0"
        return Risk("unknown", (), None, None, age_s, f"replication state at t0 is not known: {known}")
    last = before[-1]
    if not _promoted(story, cell, last, [sync for sync in found if sync.at_ns > t0_ns]):
        why = f"{last.leader} stayed leader: no write depended on replication"
        return Risk("not_switched", last.standbys, None, 0, age_s, why)
    if last.standbys:
        names = ", ".join(last.standbys)
        return Risk(
            "synchronous",
            last.standbys,
            0.0,
            0,
            age_s,
            f"synchronous standby at t0: {names}; at_risk applies to none",
        )
    if cut and any(sync.standbys for sync in before):
        why = "a standby was synchronous before, and none was at t0: out of sync before the fault"
        return Risk("out_of_sync", (), _lag_s(last, before), None, age_s, why)
    return _asynchronous(story, last, before, age_s, acknowledged_ns)


def _directed(story: Chronicle, cell: str) -> Event | None:
    """The promotion of another site by a director after t0."""
    told = (e for e in story.of("promote.done") if e.data.get("database") in (cell, None, ""))
    return next((e for e in told if e.mono_ns >= story.zero_ns and e.phase != "return"), None)


def _remote(story: Chronicle, event: Event, cell: str, acknowledged_ns: Ints) -> Risk:
    """A standby cluster follows asynchronously, whatever the synchronous standbys at home: what counts is its lag."""
    t0_ns, where = story.zero_ns, site_of(event.data)
    told = [e for e in story.of("db.standby") if e.data.get("database") == cell and e.mono_ns <= t0_ns]
    told = [e for e in told if not where or site_of(e.data) in ("", where)]
    age_s = round((t0_ns - told[-1].mono_ns) / NS_PER_S, 6) if told else None
    name = where or str(event.data.get("member") or "the standby")
    if age_s is None or age_s > FRESH_S:
        known = f"the last sample was {age_s:.1f} s old at t0" if age_s is not None else "no sample before t0"
        return Risk(
            "unknown", (), None, None, age_s, f"how far {name} was behind at t0 is not known: {known}"
        )
    state = told[-1].data.get("state")
    if state not in (None, *_FOLLOWS):
        return Risk("out_of_sync", (), None, None, age_s, f"{name} did not follow at t0: {state}")
    # The leading site may have been too busy to say how far it was; the word before that holds as long as it is fresh.
    fresh = [e.data for e in told if t0_ns - e.mono_ns <= FRESH_S * NS_PER_S]
    data = next((one for one in reversed(fresh) if _tells(one)), told[-1].data)
    before = [_sync(e) for e in story.of("db.sync") if e.data.get("database") == cell and e.mono_ns <= t0_ns]
    lag_s = None if data.get("lag_s") is None else float(data["lag_s"])
    rate = _bytes_per_s(before) if before else None
    if lag_s is None and data.get("lag_bytes") == 0:
        lag_s = 0.0
    elif lag_s is None and data.get("lag_bytes") is not None and rate:
        lag_s = float(data["lag_bytes"]) / rate
    if lag_s is None:
        return Risk(
            "asynchronous",
            (),
            None,
            None,
            age_s,
            f"{name} follows asynchronously; its lag is not known in seconds",
        )
    count = _at_risk(story, acknowledged_ns, lag_s)
    why = f"{name} follows asynchronously; {count} writes were acknowledged within its lag of {lag_s:.3f} s"
    return Risk("asynchronous", (), round(lag_s, 6), count, age_s, why)


def _tells(data: Mapping[str, Any]) -> bool:
    """Whether a word on a standby says how far behind it is."""
    return data.get("lag_s") is not None or data.get("lag_bytes") is not None


def _within(story: Chronicle, acknowledged_ns: Ints, span_s: float) -> int:
    """Writes acknowledged in the last seconds before the fault was in place: fewer than before the cut, never more."""
    return _between(acknowledged_ns, story.struck_ns, span_s)


def _at_risk(story: Chronicle, acknowledged_ns: Ints, lag_s: float) -> int:
    """Writes acknowledged within the lag before the cut, which came between t0 and the moment all was in place.

    What was acknowledged last was before the cut, so the lag counts back from there.
    """
    until = acknowledged_ns[acknowledged_ns <= story.struck_ns]
    last_ns = int(until[-1]) if len(until) else story.zero_ns
    return _between(acknowledged_ns, max(story.zero_ns, last_ns), lag_s)


def _between(acknowledged_ns: Ints, end_ns: int, span_s: float) -> int:
    inside = (acknowledged_ns > end_ns - int(span_s * NS_PER_S)) & (acknowledged_ns <= end_ns)
    return int(inside.sum())


def _asynchronous(
    story: Chronicle, last: Sync, before: Sequence[Sync], age_s: float, acknowledged_ns: Ints
) -> Risk:
    lag_s = _lag_s(last, before)
    if lag_s is None:
        why = "no synchronous standby at t0, and the lag is not known in seconds"
        return Risk("asynchronous", (), None, None, age_s, why)
    count = _at_risk(story, acknowledged_ns, lag_s)
    why = f"no synchronous standby at t0; {count} writes were acknowledged within its lag of {lag_s:.3f} s"
    return Risk("asynchronous", (), round(lag_s, 6), count, age_s, why)


def _promoted(story: Chronicle, cell: str, last: Sync, after: Sequence[Sync]) -> bool:
    """Whether another member led after t0 (or the same one after a gap, or nobody knows)."""
    changes = [event for event in story.of("db.leader") if event.data.get("database") == cell]
    leaders = [event.data.get("member") for event in changes if event.mono_ns > last.at_ns]
    leaders += [sync.leader for sync in after]
    return not after or last.leader is None or any(leader != last.leader for leader in leaders)


def _lag_s(last: Sync, before: Sequence[Sync]) -> float | None:
    """The least lag of any standby (the best one is promoted), from the director or from log positions."""
    standbys = [member for member in last.members if member.get("name") != last.leader]
    told = [float(member["lag_s"]) for member in standbys if member.get("lag_s") is not None]
    if told:
        return min(told)
    lags = [float(member["lag_bytes"]) for member in standbys if member.get("lag_bytes") is not None]
    rate = _bytes_per_s(before)
    return min(lags) / rate if lags and rate else None


def _bytes_per_s(before: Sequence[Sync]) -> float | None:
    """How fast the leader's log grew over the last 10 s before t0."""
    recent = [sync for sync in before if before[-1].at_ns - sync.at_ns <= 10 * NS_PER_S]
    points = [(sync.at_ns, lsn) for sync in recent if (lsn := _leader_lsn(sync)) is not None]
    if len(points) < 2 or points[-1][1] <= points[0][1]:
        return None
    return (points[-1][1] - points[0][1]) * NS_PER_S / (points[-1][0] - points[0][0])


def _leader_lsn(sync: Sync) -> float | None:
    return next(
        (float(m["lsn"]) for m in sync.members if m.get("name") == sync.leader and m.get("lsn")), None
    )


def _sync(event: Event) -> Sync:
    data = event.data
    return Sync(
        event.mono_ns,
        data.get("leader") or None,
        tuple(data.get("sync_standbys") or ()),
        tuple(member for member in data.get("members") or () if isinstance(member, dict)),
    )
