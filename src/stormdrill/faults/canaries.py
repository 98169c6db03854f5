"""What the canaries see of the network between zones, and whether it is what a fault should make of it.

A canary tries its flows to every other zone all the time; Prometheus, which stands outside every zone, tells
what each says. A canary that cannot be asked says nothing: silence is neither a broken flow nor a working one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from stormdrill.prometheus import Prometheus

PATHS = ("tcp-held", "tcp-new", "udp")
"""Flows between two zones; a canary has others, to the database and to the control plane."""
TCP, UDP = PATHS[:2], PATHS[2]
Pair = frozenset[str]


@dataclass(frozen=True, order=True)
class Flow:
    """What the canary of `zone` tries towards `peer`: a zone, or what the path leads to."""

    zone: str
    peer: str
    path: str

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.zone} to {self.peer} ({self.path})"


@dataclass(frozen=True)
class Canaries:
    """The canaries of an estate, asked through Prometheus."""

    prometheus: Prometheus
    metric: str
    zones: tuple[str, ...]

    def look(self) -> dict[Flow, bool]:
        """Every flow that somebody knows of now. TargetError when Prometheus does not answer."""
        found: dict[Flow, bool] = {}
        for sample in self.prometheus.instant(self.metric).samples:
            labels = sample.labels
            if sample.value is None or not all(name in labels for name in ("zone", "peer", "path")):
                continue
            flow = Flow(labels["zone"], labels["peer"], labels["path"])
            # Several canaries of a zone: the flow is up when all of them say so.
            found[flow] = found.get(flow, True) and sample.value >= 1
        return found

    @property
    def pairs(self) -> frozenset[Pair]:
        """Every two zones."""
        return frozenset(frozenset(two) for two in combinations(self.zones, 2))


def not_green(seen: Mapping[Flow, bool], zones: Iterable[str], but: frozenset[Flow] = frozenset()) -> str:
    """Which flows between zones (`but` those) do not work, or are tried by nobody; empty when all work."""
    known = list(zones)
    flows = [Flow(a, b, path) for a in known for b in known if a != b for path in PATHS]
    flows = [flow for flow in flows if flow not in but]
    broken = [flow for flow in flows if seen.get(flow) is False]
    silent = [flow for flow in flows if flow not in seen]
    said = [f"broken: {_list(broken)}"] if broken else []
    return "; ".join([*said, *([f"not tried by a canary: {_list(silent)}"] if silent else [])])


@dataclass(frozen=True)
class Scope:
    """Which flows between zones a fault breaks; every other works on. Of `dark` pairs nobody may be left to tell."""

    broken: frozenset[Flow]
    dark: frozenset[Pair] = frozenset()

    @property
    def pairs(self) -> frozenset[Pair]:
        """The pairs of zones with a broken flow."""
        return frozenset(frozenset((flow.zone, flow.peer)) for flow in self.broken)


def severed(zone: str, other: str, *, deaf: bool = True, mute: bool = True) -> frozenset[Flow]:
    """The flows that break when `zone` hears nothing of `other`, or is not heard by it.

    TCP needs both directions; `udp` of a zone is what it hears of its peer.
    """
    found = {Flow(a, b, path) for a, b in ((zone, other), (other, zone)) for path in TCP if deaf or mute}
    if deaf:
        found.add(Flow(zone, other, UDP))
    if mute:
        found.add(Flow(other, zone, UDP))
    return frozenset(found)


def not_cut(
    seen: Mapping[Flow, bool], pairs: Iterable[Pair], scope: Scope, others: frozenset[Flow] = frozenset()
) -> str:
    """Which flow should have broken and did not, or broke and should not have; empty when all is as it should be.

    `others` are flows that other faults break. A flow that nobody tells of is no contradiction, a pair of zones of
    which nobody tells anything is.
    """
    wrong = []
    for pair in sorted(pairs, key=sorted):
        told = {f: up for f, up in seen.items() if {f.zone, f.peer} == pair and f.path in PATHS}
        works = sorted(flow for flow, up in told.items() if up and flow in scope.broken)
        broke = sorted(flow for flow, up in told.items() if not up and flow not in scope.broken | others)
        silenced = pair in scope.dark or any({flow.zone, flow.peer} == pair for flow in others)
        if not told and not silenced:
            wrong.append(f"no canary tells of {' and '.join(sorted(pair))}")
        wrong += [f"should have broken and works: {_list(works)}"] if works else []
        wrong += [f"broke and should not have: {_list(broke)}"] if broke else []
    return "; ".join(wrong)


def _list(flows: list[Flow]) -> str:
    more = f" and {len(flows) - 3} more" if len(flows) > 3 else ""
    return ", ".join(str(flow) for flow in flows[:3]) + more
