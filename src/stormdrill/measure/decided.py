"""What a recovery by decision is made of: detect, decide, fence, promote, route, each ended by an event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stormdrill.history import Event
from stormdrill.measure.chronicle import as_text
from stormdrill.measure.steps import concerns
from stormdrill.measure.telling import site_of, who


@dataclass(frozen=True)
class Mark:
    """A moment in nanoseconds, the part of the recovery that it ends, and where it is known from."""

    at_ns: int
    ends: str
    how: str


BEFORE_PROMOTION = ("detect", "detect and decide", "decide", "fence")
"""Parts after which nobody can write yet."""


def decided_marks(events: Sequence[Event], t0_ns: int, cell: str) -> tuple[Mark, ...]:
    """The marks of a failover that somebody decided or directed; none when nobody did.

    Only the first promotion of the cell's database after t0 counts, and what came before it; the way back is
    another story.
    """
    later = sorted((e for e in events if e.mono_ns >= t0_ns), key=lambda e: (e.mono_ns, e.seq))
    promoted = next(
        (e for e in later if e.kind == "promote.done" and e.data.get("database") in (cell, None, "")), None
    )
    end_ns = promoted.mono_ns if promoted else None
    mine = [e for e in later if concerns(e, cell) and e.phase != "return"]
    before = [e for e in mine if end_ns is None or e.mono_ns <= end_ns]
    made = [e for e in before if e.kind == "decision"]
    if not made and promoted is None:
        return ()
    found = _detected(before, made[0].mono_ns if made else end_ns, cell)
    found += [
        Mark(e.mono_ns, "decide" if found or i else "detect and decide", _decided(e))
        for i, e in enumerate(made)
    ]
    found += [
        Mark(e.mono_ns, "fence", f"{site_of(e.data)} closed, {e.data['how']}")
        for e in before
        if e.kind in ("fence.closed", "fence.armed") and e.data.get("how")
    ]
    if promoted:
        found.append(
            Mark(promoted.mono_ns, "promote" if found else "detect and promote", _promoted(promoted))
        )
        found += [
            Mark(
                e.mono_ns, "route", f"the name {e.data.get('name', '')} leads to {as_text(e.data.get('to'))}"
            )
            for e in later
            if e.kind == "route.changed" and e.mono_ns >= promoted.mono_ns and e.phase != "return"
        ]
    return tuple(sorted(found, key=lambda mark: mark.at_ns))


def _detected(before: Sequence[Event], until_ns: int | None, cell: str) -> list[Mark]:
    """The first that anybody could know: an alert, or the leader seen to be gone, before it was decided."""
    for event in before:
        if until_ns is not None and event.mono_ns > until_ns:
            break
        if event.kind == "alert.fired":
            return [Mark(event.mono_ns, "detect", f"alert {event.data.get('alert', '')} fired")]
        if event.kind == "db.leader" and event.data.get("database") == cell and not event.data.get("member"):
            return [Mark(event.mono_ns, "detect", "the leader was seen to be gone")]
    return []


def _decided(event: Event) -> str:
    default = ", by default" if event.data.get("auto") else ""
    return f"{who(str(event.data.get('actor') or event.actor))}: {event.data.get('what', '')}{default}"


def _promoted(event: Event) -> str:
    where = site_of(event.data)
    return f"{event.data.get('member') or event.data.get('database')}{f' in {where}' if where else ''} took a write"
