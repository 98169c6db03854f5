"""Who did what, when: the events of a failover as steps that people read, and those that others compute with."""

from __future__ import annotations

from dataclasses import replace

from stormdrill.history import Event
from stormdrill.measure.chronicle import Chronicle, as_text
from stormdrill.measure.failover_values import Decision, Fence, Step
from stormdrill.measure.telling import SAID, TELLING, place_of
from stormdrill.units import NS_PER_S

_TOGETHER_S = 3.0
_NEAR = 6  # lines within which the same words are the same news


def steps(story: Chronicle) -> tuple[Step, ...]:
    """The story in order; empty when nothing of a failover was recorded. What is told twice in a row is told once."""
    events = _together(sorted((e for e in story.events if e.kind in SAID), key=lambda e: (_at_ns(e), e.seq)))
    if not any(event.kind in TELLING for event in events):
        return ()
    found: list[Step] = []
    for event in events:
        said = SAID[event.kind](event.data)
        again = any(said == one.what for one in found[-_NEAR:])
        if said and not again:
            at_ns = _at_ns(event)
            actor = str(event.data.get("actor") or event.actor)
            found.append(Step(_s(at_ns, story), event.utc, event.kind, actor, said))
    return tuple(found)


def _together(events: list[Event]) -> list[Event]:
    """Alerts of one name that go on or off within some seconds as one event, at the time of the first."""
    found: list[Event] = []
    last: dict[tuple[str, str], int] = {}
    for event in events:
        key = (event.kind, str(event.data.get("alert")))
        if event.kind in ("alert.fired", "alert.resolved"):
            at = last.get(key)
            if at is not None and event.mono_ns - found[at].mono_ns <= _TOGETHER_S * NS_PER_S:
                both = [*found[at].data["all"], event.data.get("labels")]
                found[at] = replace(found[at], data={**found[at].data, "all": both})
                continue
            last[key] = len(found)
            found.append(replace(event, data={**event.data, "all": [event.data.get("labels")]}))
        else:
            found.append(event)
    return found


def decisions(story: Chronicle) -> tuple[Decision, ...]:
    """Every decision, in order."""
    return tuple(
        Decision(
            _s(event.mono_ns, story),
            str(event.data.get("what", "")),
            str(event.data.get("actor") or event.actor),
            bool(event.data.get("auto")),
        )
        for event in story.of("decision")
    )


def fences(story: Chronicle, before_ns: int, cell: str) -> tuple[Fence, ...]:
    """The last word on every site's fence around a cell's databases before a moment, and since when it was so.

    One that was only armed keeps nobody out yet.
    """
    found: dict[str, Fence] = {}
    told = [*story.of("fence.armed"), *story.of("fence.closed"), *story.of("fence.opened")]
    for event in sorted(told, key=lambda e: (e.mono_ns, e.seq)):
        data = event.data
        site = place_of(data)
        if event.mono_ns > before_ns:
            break
        if not concerns(event, cell):
            continue
        unproven = event.kind == "fence.closed" and not data.get("how")
        if event.kind == "fence.opened" or unproven:
            found.pop(site, None)  # also of one that held and was then seen not to
        elif data.get("how"):
            why = as_text(data.get("why") or data.get("proof"))
            was, how = found.get(site), str(data["how"])
            at_s = was.at_s if was and was.how == how else _s(event.mono_ns, story)
            found[site] = Fence(site, how, at_s, why)
    return tuple(found[site] for site in sorted(found))


def concerns(event: Event, cell: str) -> bool:
    """Whether an event of a failover is about this cell: it says another one only where there are several."""
    return event.data.get("cell") in (cell, None, "")


def _at_ns(event: Event) -> int:
    """A fault began at its own t0, not when that was written down."""
    return int(event.data.get("t0_ns") or event.mono_ns) if event.kind == "fault.applied" else event.mono_ns


def _s(at_ns: int, story: Chronicle) -> float:
    return round((at_ns - story.zero_ns) / NS_PER_S, 6)
