"""From canaries' changes to proof: did what a network fault cuts break, did all else stay, is all of it back.

A change is seen late (the canary waits for a second of silence, its metrics are read once a second), never early;
`EARLY_S` allows for one that was dated back to the last sign of life.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stormdrill.measure.canary_values import Canaries, Pair, Proof
from stormdrill.measure.chronicle import Chronicle, Fault
from stormdrill.measure.cuts import DATABASE, FLOWS, Cut, Expected, cuts_of, expected
from stormdrill.measure.trust_values import Stretch
from stormdrill.units import NS_PER_S

BROKEN_WITHIN_S = 5.0  # after the fault was applied
EARLY_S = 1.0

Name = tuple[str, str, str]
"""Zone, peer and path."""


@dataclass(frozen=True)
class _Line:
    """The states of one pair in order: when (ns) and whether it was up; None: nobody told of it any more."""

    changes: tuple[tuple[int, bool | None], ...]

    def at(self, at_ns: int) -> bool | None:
        """Whether it was up; None when nobody told."""
        states = [up for when_ns, up in self.changes if when_ns <= at_ns]
        return states[-1] if states else None

    def first(self, up: bool, after_ns: int, before_ns: int | None = None) -> int | None:
        """The first change to `up` in (after, before)."""
        return next(
            (
                at
                for at, state in self.changes
                if state is up and at > after_ns and (before_ns is None or at < before_ns)
            ),
            None,
        )


@dataclass(frozen=True)
class _Active:
    """A network fault, what it cuts, and when its revert began and ended (None: nobody said so)."""

    fault: Fault
    cuts: tuple[Cut, ...]
    reverting_ns: int | None

    def covers(self, at_ns: int) -> bool:
        """Whether a pair that breaks now may do so because of this fault."""
        end_ns = self.fault.reverted_ns
        return at_ns >= self.fault.t0_ns - round(EARLY_S * NS_PER_S) and (end_ns is None or at_ns <= end_ns)


def canaries(story: Chronicle, zones: Mapping[str, str]) -> Canaries:
    """Pairs and proofs. `zones` maps every zone of the estate to its region."""
    lines = _lines(story)
    active = _active(story, zones)
    return Canaries(
        pairs=tuple(_pair(name, line, story) for name, line in lines.items()),
        proofs=tuple(_proof(one, active, lines, story, zones) for one in active),
    )


def network(story: Chronicle, zones: Mapping[str, str]) -> bool:
    """Whether any fault of the run cut the network."""
    return bool(_active(story, zones))


def _lines(story: Chronicle) -> dict[Name, _Line]:
    found: dict[Name, list[tuple[int, bool | None]]] = {}
    for event in story.of("canary.changed"):
        data = event.data
        name = (str(data.get("zone", "")), str(data.get("peer") or ""), str(data.get("path", "")))
        found.setdefault(name, []).append(
            (event.mono_ns, None if data.get("up") is None else bool(data["up"]))
        )
    return {name: _Line(tuple(found[name])) for name in sorted(found)}


def _active(story: Chronicle, zones: Mapping[str, str]) -> list[_Active]:
    reverting = {e.data.get("name"): e.mono_ns for e in reversed(story.of("fault.reverting"))}
    cut = [(fault, cuts_of(fault.kind, fault.where, zones)) for fault in story.faults]
    return [_Active(fault, cuts, reverting.get(fault.name)) for fault, cuts in cut if cuts]


def _pair(name: Name, line: _Line, story: Chronicle) -> Pair:
    ends_ns = [at_ns for at_ns, _ in line.changes[1:]] + [max(story.watched_end_ns, line.changes[-1][0])]
    spans = [
        (up, Stretch(_s(at_ns, story.zero_ns), _s(end_ns, story.zero_ns)))
        for (at_ns, up), end_ns in zip(line.changes, ends_ns, strict=True)
    ]
    return Pair(
        *name,
        known_from_s=_s(line.changes[0][0], story.zero_ns),
        down=tuple(span for up, span in spans if up is False),
        dark=tuple(span for up, span in spans if up is None),
        up_at_end=line.changes[-1][1] is True,
    )


def _proof(
    one: _Active,
    active: Sequence[_Active],
    lines: Mapping[Name, _Line],
    story: Chronicle,
    zones: Mapping[str, str],
) -> Proof:
    wanted = {name: expected(one.cuts, *name) for name in [*lines, *_unseen(one, lines, zones)]}
    must = [name for name, what in wanted.items() if what is Expected.BREAKS]
    faulty, broke_ns = [], []
    for name in must:
        at_ns, problem = _broken(one, lines.get(name))
        faulty += [f"{_said(name)} {problem}"] if problem else []
        broke_ns += [at_ns] if at_ns is not None else []
    others = [name for name, what in wanted.items() if what is Expected.STAYS and name in lines]
    faulty += [said for name in others if (said := _strayed(one, active, name, lines[name]))]
    not_back, back_ns = _back(one, lines)
    from_ns = one.reverting_ns or one.fault.reverted_ns
    return Proof(
        fault=one.fault.name,
        must=len(must),
        may=sum(what is Expected.MAY for what in wanted.values()),
        stay=len(others),
        faulty=tuple(faulty),
        broke_s=_s(max(broke_ns), one.fault.t0_ns) if broke_ns and len(broke_ns) == len(must) else None,
        not_back=tuple(not_back),
        back_s=_s(max(back_ns), from_ns) if back_ns and from_ns and not not_back else None,
        reverting_s=None if one.reverting_ns is None else _s(one.reverting_ns, story.zero_ns),
    )


def _unseen(one: _Active, lines: Mapping[Name, _Line], zones: Mapping[str, str]) -> list[Name]:
    """Pairs of the estate's zones that had to break and of which no canary ever told."""
    names = [(zone, peer, path) for zone in zones for peer in zones if zone != peer for path in FLOWS]
    return [name for name in names if name not in lines and expected(one.cuts, *name) is Expected.BREAKS]


def _broken(one: _Active, line: _Line | None) -> tuple[int | None, str]:
    """When a pair broke that had to, and what was wrong with that."""
    t0_ns = one.fault.t0_ns
    before_ns = t0_ns - round(EARLY_S * NS_PER_S)
    was = line.at(before_ns) if line else None
    if line is None or was is None:
        return None, "was never seen before the fault"
    if not was:
        return None, "was down before the fault"
    at_ns = line.first(False, before_ns, one.reverting_ns)
    if at_ns is None:
        return None, "did not break"
    if at_ns > t0_ns + round(BROKEN_WITHIN_S * NS_PER_S):
        return None, f"broke only {_s(at_ns, t0_ns):.1f} s after the fault"
    again_ns = line.first(True, at_ns, one.reverting_ns) if one.reverting_ns else None
    if again_ns is not None:
        return at_ns, f"came back {_s(again_ns, t0_ns):.1f} s after the fault, before it was reverted"
    return at_ns, ""


def _strayed(one: _Active, active: Sequence[_Active], name: Name, line: _Line) -> str:
    """What a pair did that had to stay up under this fault and every other of its time; empty when it stayed."""
    t0_ns, end_ns = one.fault.t0_ns, one.reverting_ns or one.fault.reverted_ns
    for at_ns, up in line.changes:
        if up is not False or at_ns < t0_ns or (end_ns is not None and at_ns >= end_ns):
            continue
        causes = [other for other in active if other.covers(at_ns)]
        if all(expected(other.cuts, *name) is Expected.STAYS for other in causes):
            return f"{_said(name)} broke {_s(at_ns, t0_ns):.1f} s after the fault, which does not cut it"
    return ""


def _back(one: _Active, lines: Mapping[Name, _Line]) -> tuple[list[str], list[int]]:
    """Pairs that were up before the fault and are not at the end; and when each broken one came back.

    Where the database lives may have changed meanwhile: that path is no sign of the network.
    """
    missing, times_ns = [], []
    reverted_ns = one.reverting_ns or one.fault.reverted_ns
    for name, line in lines.items():
        if name[2] == DATABASE or not line.at(one.fault.t0_ns - round(EARLY_S * NS_PER_S)):
            continue
        if line.changes[-1][1] is not True:
            missing.append(_said(name))
        elif reverted_ns is not None and line.at(reverted_ns) is not True:
            times_ns += [at] if (at := line.first(True, reverted_ns)) is not None else []
    return missing, times_ns


def _said(name: Name) -> str:
    zone, peer, path = name
    return f"{zone} -> {peer} ({path})" if peer else f"{zone} ({path})"


def _s(at_ns: int, zero_ns: int) -> float:
    return round((at_ns - zero_ns) / NS_PER_S, 6)
