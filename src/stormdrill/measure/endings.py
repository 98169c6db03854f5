"""How the run ended, and what on the way did not go as planned, from the history."""

from __future__ import annotations

from stormdrill.history import Event
from stormdrill.measure.chronicle import Chronicle
from stormdrill.measure.values import Ended
from stormdrill.units import NS_PER_S

KINDS = (
    "abort", "cut", "load.died", "activity.failed", "fault.refused", "fault.ended_early", "fault.not_restored",
    "revert.failed", "hypothesis", "guard.blind",
)  # fmt: skip


def endings(story: Chronicle) -> tuple[Ended, ...]:
    """The events of interest, in order."""
    return tuple(_ended(event, story) for event in story.events if event.kind in KINDS)


def _ended(event: Event, story: Chronicle) -> Ended:
    data = event.data
    named = data.get("name") or data.get("activity") or ""
    probes = data.get("probes") or [] if event.kind == "hypothesis" else []
    last = probes[-1] if probes else {}
    met = bool(data.get("met", False))
    told = data.get("reason") or data.get("why") or data.get("error") or data.get("title") or ""
    if event.kind == "fault.ended_early":
        told = f"by itself on {data.get('node')} ({told})"
    return Ended(
        kind=event.kind,
        at_s=round((event.mono_ns - story.zero_ns) / NS_PER_S, 6),
        why=f"{named}: {told}" if named and told else str(named or told),
        by=str(data.get("by", "")),
        ok=met,
        after_fault=story.t0_ns is not None and event.mono_ns > story.t0_ns,
        objective=bool(data.get("objective", False)),
        probe=str(last.get("name") or ""),
        unseen=event.kind == "hypothesis" and not met and last.get("status") != "succeeded",
    )
