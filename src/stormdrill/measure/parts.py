"""What a recovery time is made of, as far as events and answers tell; the rest is named unexplained.

The marks are the leader seen lost, its restart in its place or another's promotion (or, when no leader changed, the
standby that it gave up or the new pod's readiness), and the first good answer after that; those of a failover by
decision are in `decided`. A part that no event bounds is not invented: a sum that ends in "unexplained" is a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from stormdrill.history import Event
from stormdrill.measure.decided import BEFORE_PROMOTION, Mark, decided_marks
from stormdrill.measure.values import Part
from stormdrill.units import NS_PER_S

DROP = "drop standby"
"""Until a leader that stayed gave up the synchronous standby it had lost: its commits wait for that long."""
POLL_S = 1.0  # leaders and pods are looked at once a second: a mark may be seen that much late


def marks(events: Sequence[Event], t0_ns: int, cell: str) -> tuple[Mark, ...]:
    """The moments after t0 that split a recovery of a cell's customers, in order."""
    if decided := decided_marks(events, t0_ns, cell):
        return decided
    leaders = [event for event in events if event.kind == "db.leader" and event.data.get("database") == cell]
    before = [_member(event) for event in leaders if _since_ns(event) < t0_ns and _member(event)]
    found = []
    lost = next((e for e in leaders if _since_ns(e) >= t0_ns and not _member(e)), None)
    if lost:
        found.append(Mark(_since_ns(lost), "detect", "the leader was seen to be gone"))
    found += _restarts(events, t0_ns, cell)
    new = next((e for e in leaders if _since_ns(e) >= t0_ns and _member(e)), None)
    if new:
        name = "promote" if lost else "detect and promote"
        again = "again " if before and before[-1] == _member(new) else ""
        timeline = f", timeline {new.data['timeline']}" if new.data.get("timeline") is not None else ""
        found.append(Mark(_since_ns(new), name, f"{_member(new)} is {again}leader{timeline}"))
        return tuple(sorted(found, key=lambda mark: mark.at_ns))
    if not lost:
        found += _dropped(events, t0_ns, cell)
    ready = [_ready(event) for event in events if event.kind == "pod.replaced"]
    found += [mark for mark in ready if mark.at_ns >= t0_ns]
    return tuple(sorted(found, key=lambda mark: mark.at_ns))


def _dropped(events: Sequence[Event], t0_ns: int, cell: str) -> list[Mark]:
    """When the leader was first seen without the synchronous standby that it had at t0."""
    synced = [e for e in events if e.kind == "db.sync" and e.data.get("database") == cell]
    before = next((e.data for e in reversed(synced) if e.mono_ns < t0_ns), None)
    if not before or not before.get("sync_standbys"):
        return []
    alone = next((e for e in synced if e.mono_ns >= t0_ns and not e.data.get("sync_standbys")), None)
    if alone is None or alone.data.get("leader") != before.get("leader"):
        return []
    names = ", ".join(map(str, before["sync_standbys"]))
    return [Mark(alone.mono_ns, DROP, f"{before['leader']} no longer waits for {names}")]


def _restarts(events: Sequence[Event], t0_ns: int, cell: str) -> list[Mark]:
    """When the leader of before t0 was started again in its place: its own word, not when it was looked at."""
    synced = [e for e in events if e.kind == "db.sync" and e.data.get("database") == cell]
    old = next((e.data.get("leader") for e in reversed(synced) if e.mono_ns < t0_ns), None)
    for event in synced:
        started = _started_ns(event, old) if old and event.data.get("leader") == old else None
        if started is not None and started >= t0_ns:
            return [Mark(started, "restart", f"the database process of {old} was started again")]
    return []


def _started_ns(event: Event, name: str) -> int | None:
    """When a member's database process began, on the history's monotonic clock; None when it does not say so."""
    started = [m.get("started") for m in event.data.get("members", ()) if m.get("name") == name]
    if not any(started) or not event.utc:
        return None
    try:
        ago = datetime.fromisoformat(event.utc) - datetime.fromisoformat(str(started[0]))
    except (ValueError, TypeError):  # not ISO 8601, or without a time zone
        return None
    return event.mono_ns - round(ago.total_seconds() * NS_PER_S)


def parts(
    found: Sequence[Mark],
    t0_ns: int,
    recovered_s: float | None,
    first_good_after_s: Sequence[float | None],
    resolution_s: float,
) -> tuple[Part, ...]:
    """Split [0, recovered_s] at the marks inside it.

    `first_good_after_s` holds, for each mark, the due time of the first good request after it. Nothing is
    split when there was nothing to recover from.
    """
    if not recovered_s:
        return ()
    inside = _inside(found, t0_ns, recovered_s, first_good_after_s)
    if not inside:
        return (Part("unexplained", 0.0, recovered_s, "no event of the history falls into this time"),)
    result: list[Part] = []
    at_s = 0.0
    for mark, end_s, _ in inside:
        result.append(Part(mark.ends, round(at_s, 6), round(end_s, 6), mark.how))
        at_s = end_s
    good_s = inside[-1][2] if inside[-1][0].ends not in BEFORE_PROMOTION else None
    if good_s is not None and at_s < good_s <= recovered_s + resolution_s:
        # Recovery is the start of a bin, the first good request lies within it.
        end_s = min(good_s, recovered_s)
        result.append(Part("route", round(at_s, 6), round(end_s, 6), "until the first good request after it"))
        at_s = end_s
        if recovered_s > at_s:
            result.append(Part("warm up", round(at_s, 6), recovered_s, "bins still bad between good answers"))
    elif recovered_s > at_s:
        result.append(Part("unexplained", round(at_s, 6), recovered_s, "no event bounds it"))
    return _joined(result)


def _joined(found: Sequence[Part]) -> tuple[Part, ...]:
    """Neighbours of one name as one: a route that was changed, and phones that then follow it."""
    result: list[Part] = []
    for part in found:
        last = result[-1] if result else None
        if last and last.name == part.name:
            result[-1] = Part(part.name, last.start_s, part.end_s, f"{last.how}; {part.how}")
        else:
            result.append(part)
    return tuple(result)


def _inside(
    found: Sequence[Mark], t0_ns: int, recovered_s: float, first_good_after_s: Sequence[float | None]
) -> list[tuple[Mark, float, float | None]]:
    """The marks that can have brought the recovery about, with their end and the first good request after.

    What only polling sees is seen late: a promotion (or a standby given up) seen within a poll after the recovery
    counts when there was none before, and ends with it. (Not a new pod: its neighbours may have carried on without it.)
    """
    timed = [
        (mark, (mark.at_ns - t0_ns) / NS_PER_S, good)
        for mark, good in zip(found, first_good_after_s, strict=True)
    ]
    inside = [entry for entry in timed if entry[1] <= recovered_s]
    if all(mark.ends in BEFORE_PROMOTION for mark, _, _ in inside):
        after = [e for e in timed[len(inside) :] if "promote" in e[0].ends or e[0].ends == DROP]
        late = [entry for entry in after if entry[1] <= recovered_s + POLL_S]
        inside += [(mark, recovered_s, None) for mark, _, _ in late[:1]]
    return inside


def _ready(event: Event) -> Mark:
    new = event.data.get("new")
    pod = new.get("pod") or new.get("name") if isinstance(new, dict) else new
    how = f"{event.data.get('service') or 'pod'} {pod or ''} ready".replace("  ", " ")
    return Mark(int(event.data.get("ready_ns") or event.mono_ns), "replace", how)


def _member(event: Event) -> str | None:
    member = event.data.get("member")
    return str(member) if member else None


def _since_ns(event: Event) -> int:
    return int(event.data.get("since_ns") or event.mono_ns)
