"""The history as measuring sees it: phases, faults, marks and two clocks, all in monotonic nanoseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from stormdrill.history import Event
from stormdrill.units import NS_PER_S

RETURN: Final = "return"
RETURN_BEGINS: Final = "return.started"
RETURN_ENDS: Final = "redundancy.restored"
# The phases in which customers are watched after a fault, in order.
_WATCHED = ("inject", "recover", "revert", RETURN, "settle")
_LOADED = ("steady", *_WATCHED)


@dataclass(frozen=True)
class Phase:
    """One phase with its ends; `end_ns` of an open phase is the last thing known."""

    name: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class Fault:
    """One fault as the drill recorded it; `proven` None when nothing was said about proof."""

    name: str
    kind: str
    t0_ns: int
    targets: tuple[str, ...]
    proven: bool | None
    proof: str
    reverted_ns: int | None
    where: tuple[Any, ...] = ()
    """The targets as they were recorded."""
    in_place_ns: int | None = None
    """When all of it was known to be there; None when nobody said so."""


@dataclass(frozen=True)
class Chronicle:
    """What happened when. `t0_ns` is the first fault's; None when none was applied.

    `origin_ns` is the start of the load (of the history when there was none), `end_ns` the end of the judged
    time: the end of settle (`watched_end_ns`), or of the load when that came first. `load_end_ns` is None
    while nobody said so.
    """

    events: tuple[Event, ...]
    phases: tuple[Phase, ...]
    faults: tuple[Fault, ...]
    origin_ns: int
    t0_ns: int | None
    end_ns: int
    watched_end_ns: int
    load_end_ns: int | None
    wall_offset_ns: int
    wall_spread_s: float

    def of(self, kind: str) -> list[Event]:
        """Events of one kind, by their time."""
        return sorted((e for e in self.events if e.kind == kind), key=lambda e: (e.mono_ns, e.seq))

    def phase(self, name: str) -> Phase | None:
        """The first phase of that name."""
        return next((phase for phase in self.phases if phase.name == name), None)

    def way_back(self) -> Phase | None:
        """The return: the drill's own phase, or from where people began it to where they ended it (or to the end)."""
        own = self.phase(RETURN)
        begun = [event for event in self.of(RETURN_BEGINS) if event.phase == RETURN]
        if own is not None or not begun:
            return own
        ended = [event.mono_ns for event in self.of(RETURN_ENDS) if event.mono_ns >= begun[0].mono_ns]
        return Phase(RETURN, begun[0].mono_ns, max(ended, default=self.end_ns))

    @property
    def zero_ns(self) -> int:
        """What "from t0" counts from: t0, or the start of the load when no fault was applied."""
        return self.t0_ns if self.t0_ns is not None else self.origin_ns

    @property
    def struck_ns(self) -> int:
        """When the first fault was in place everywhere; t0 where nobody says, for then it was at once.

        t0 is just before the first hurt. A site that is being cut off goes on for some tenths of a second.
        """
        first = self.faults[0] if self.faults else None
        return max(self.zero_ns, first.in_place_ns or 0) if first else self.zero_ns

    @property
    def judged_ns(self) -> tuple[int, int]:
        """The judged time, from the start of steady (or of the load) to the end."""
        steady = self.phase("steady")
        return (steady.start_ns if steady else self.origin_ns), self.end_ns

    def mono_ns(self, unix_s: float) -> int:
        """Wall-clock seconds to monotonic nanoseconds."""
        return round(unix_s * NS_PER_S) - self.wall_offset_ns

    def unix_s(self, mono_ns: int) -> float:
        """Monotonic nanoseconds to wall-clock seconds."""
        return (mono_ns + self.wall_offset_ns) / NS_PER_S


def chronicle(events: Sequence[Event]) -> Chronicle:
    """Read the history. An empty history gives an empty chronicle at 0."""
    ordered = tuple(sorted(events, key=lambda event: event.seq))
    last_ns = max((event.mono_ns for event in ordered), default=0)
    phases = _phases(ordered, last_ns)
    started = [e.mono_ns for e in ordered if e.kind == "load.started"]
    stopped = [e.mono_ns for e in ordered if e.kind == "load.stopped"]
    faults = _faults(ordered)
    offset_ns, spread_s = _clocks(ordered)
    steady = [phase.start_ns for phase in phases if phase.name == "steady"]
    first_ns = min((event.mono_ns for event in ordered), default=0)
    load_end_ns = min(stopped, default=None)
    watched = [phase.end_ns for phase in phases if phase.name in _LOADED]
    end_ns = max(watched, default=last_ns)
    return Chronicle(
        events=ordered,
        phases=phases,
        faults=faults,
        origin_ns=min(started or steady or [first_ns]),
        t0_ns=min((fault.t0_ns for fault in faults), default=None),
        end_ns=end_ns if load_end_ns is None else min(end_ns, load_end_ns),
        watched_end_ns=end_ns,
        load_end_ns=load_end_ns,
        wall_offset_ns=offset_ns,
        wall_spread_s=spread_s,
    )


def _phases(events: Sequence[Event], last_ns: int) -> tuple[Phase, ...]:
    starts = [event for event in events if event.kind == "phase.start"]
    ends = [event.mono_ns for event in starts[1:]] + [last_ns]
    return (
        tuple(
            Phase(start.phase, start.mono_ns, max(end, start.mono_ns))
            for start, end in zip(starts, ends, strict=True)
        )
        if starts
        else ()
    )


def _faults(events: Sequence[Event]) -> tuple[Fault, ...]:
    proofs = {e.data.get("name"): e.data for e in events if e.kind == "fault.proven"}
    reverts = {e.data.get("name"): e.mono_ns for e in events if e.kind == "fault.reverted"}
    found = []
    for event in events:
        if event.kind != "fault.applied":
            continue
        name = str(event.data.get("name", event.data.get("fault", "fault")))
        proof = proofs.get(name)
        found.append(
            Fault(
                name=name,
                kind=str(event.data.get("fault", name)),
                t0_ns=int(event.data.get("t0_ns", event.mono_ns)),
                targets=tuple(_target(target) for target in event.data.get("targets") or ()),
                proven=None if proof is None else bool(proof.get("ok")),
                proof=as_text(proof.get("why") or proof.get("proof")) if proof else "",
                reverted_ns=reverts.get(name),
                where=tuple(event.data.get("targets") or ()),
                in_place_ns=event.data.get("in_place_ns"),
            )
        )
    return tuple(sorted(found, key=lambda fault: (fault.t0_ns, fault.name)))


def _target(target: Any) -> str:
    if isinstance(target, dict):
        named = target.get("pod") or target.get("name") or target.get("member")
        where = target.get("zone") or target.get("node")
        if named:
            return f"{named} ({where})" if where else str(named)
        if target.get("zone"):
            return _zone(target)
    return as_text(target)


def _zone(target: dict[str, Any]) -> str:
    """A zone that was cut off or lost, as people say it."""
    ways = target.get("directions") or ()
    one_way = {"in": ", inbound only", "out": ", outbound only"}.get("".join(map(str, ways)), "")
    cut = f" cut from {as_text(target['from'])}{one_way}" if target.get("from") else ""
    return f"{target['zone']}{cut}"


def as_text(value: Any) -> str:
    """A value of an event as people read it; nothing of None."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {as_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(as_text(item) for item in value)
    return "" if value is None else str(value)


def _clocks(events: Sequence[Event]) -> tuple[int, float]:
    """Wall minus monotonic time (median), and how far the events disagree about it."""
    offsets = sorted(
        round(datetime.fromisoformat(event.utc).timestamp() * 1e6) * 1000 - event.mono_ns for event in events
    )
    if not offsets:
        return 0, 0.0
    return offsets[len(offsets) // 2], (offsets[-1] - offsets[0]) / NS_PER_S
