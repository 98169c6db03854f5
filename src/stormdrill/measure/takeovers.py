"""When another timeline took a cell's writes: by a director's promotion, or by the cluster's own election."""

from __future__ import annotations

from collections.abc import Iterable

from stormdrill.history import Event
from stormdrill.measure.chronicle import Chronicle
from stormdrill.measure.failover_values import Takeover
from stormdrill.measure.steps import concerns, fences
from stormdrill.measure.telling import proof_of
from stormdrill.units import NS_PER_S


def takeovers(story: Chronicle, cells: Iterable[str], *, elected: bool) -> tuple[Takeover, ...]:
    """Every change of hands after t0, in order. Elections count only if `elected`: where the old one may live on."""
    if story.t0_ns is None:
        return ()
    found = []
    for cell in cells:
        directed = [one for one in story.of("promote.done") if _is(one, cell) and one.mono_ns >= story.t0_ns]
        found += [_directed(story, cell, event) for event in directed]
        found += [_elected(story, cell, event) for event in (_elections(story, cell) if elected else ())]
    found.sort(key=lambda one: (one.done_s, one.cell))
    return tuple(one for i, one in enumerate(found) if not _told_before(one, found[:i]))


def _told_before(one: Takeover, before: list[Takeover]) -> bool:
    """A director's promotion is seen by the sampler too, as a new leader."""
    return not one.directed and any(was.cell == one.cell and was.member == one.member for was in before)


def _directed(story: Chronicle, cell: str, event: Event) -> Takeover:
    data = event.data
    started = [e.mono_ns for e in story.of("promote.started") if _is(e, cell) and e.mono_ns <= event.mono_ns]
    begin_ns = started[-1] if started else event.mono_ns
    return Takeover(
        cell=cell,
        member=str(data.get("member") or ""),
        phase=event.phase,
        started_s=_s(started[-1], story) if started else None,
        done_s=_s(event.mono_ns, story),
        first_write_s=_s(_write_ns(event), story),
        directed=True,
        proof=proof_of(data),
        fences=fences(story, begin_ns, cell),
        decided=any(
            (story.t0_ns or 0) <= e.mono_ns <= begin_ns and e.phase == event.phase and concerns(e, cell)
            for e in story.of("decision")
        ),
    )


def _write_ns(event: Event) -> int:
    """When the proving write was committed."""
    proof = event.data.get("proof")
    told = proof.get("mono_ns") if isinstance(proof, dict) else None
    return int(event.data.get("write_ns") or told or event.mono_ns)


def _elections(story: Chronicle, cell: str) -> list[Event]:
    """Leader changes after t0 to another member than before."""
    t0_ns = story.t0_ns or 0
    synced = [e for e in story.of("db.sync") if e.data.get("database") == cell and e.mono_ns < t0_ns]
    led = synced[-1].data.get("leader") if synced else None
    found = []
    for event in story.of("db.leader"):
        if event.data.get("database") != cell or not event.data.get("member"):
            continue
        if led not in (None, event.data["member"]) and event.mono_ns >= t0_ns:
            found.append(event)
        led = event.data["member"]
    return found


def _elected(story: Chronicle, cell: str, event: Event) -> Takeover:
    since_ns = int(event.data.get("since_ns") or event.mono_ns)
    at_s = _s(since_ns, story)
    timeline = event.data.get("timeline")
    proof = "seen to be leader" + (f" of timeline {timeline}" if timeline is not None else "")
    return Takeover(
        cell,
        str(event.data["member"]),
        event.phase,
        None,
        at_s,
        at_s,
        False,
        proof,
        fences(story, since_ns, cell),
        False,
    )


def _is(event: Event, cell: str) -> bool:
    return event.data.get("database") in (cell, None, "")


def _s(at_ns: int, story: Chronicle) -> float:
    return round((at_ns - story.zero_ns) / NS_PER_S, 6)
