"""What a network fault must do to the canaries, from what it says it cuts: break, may break, or stay.

A zone that is cut from everything cannot be asked either: its own canary's word is lost with it (nobody outside
can read its metrics), so the proof is what all others say of it. Where a service lives is not known here, so the
path to the database may break for anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

FLOWS = ("tcp-held", "tcp-new", "udp")
"""Paths between two canaries. TCP needs both directions; `udp` of a zone is what it hears of its peer."""
DATABASE, CONTROL_PLANE = "database", "control-plane"
ANYTHING = "anything"


class Expected(StrEnum):
    """What a pair has to do under a fault."""

    BREAKS = "breaks"
    MAY = "may break"
    STAYS = "stays"


@dataclass(frozen=True)
class Cut:
    """One zone and what it is cut from: zones by name, or everything (None).

    `deaf` hears nothing of them, `mute` is not heard by them.
    """

    zone: str
    others: frozenset[str] | None
    deaf: bool
    mute: bool

    def severs(self, zone: str) -> bool:
        """Whether the cut lies between this zone and another."""
        return self.others is None or zone in self.others


def cuts_of(kind: str, targets: Sequence[Any], zones: Mapping[str, str]) -> tuple[Cut, ...]:
    """The cuts of a fault by its kind and targets; none of a fault that is not one of the network.

    `zones` maps every zone of the estate to its region.
    """
    lost = "loss" in kind or "lose" in kind
    if not lost and "partition" not in kind:
        return ()
    found = {}
    for target in targets:
        if isinstance(target, Mapping) and target.get("zone"):
            ways = target.get("directions") or ("in", "out")
            found[str(target["zone"])] = Cut(
                zone=str(target["zone"]),
                others=None if lost else _zones(target.get("from") or ANYTHING, zones),
                deaf=lost or "in" in ways,
                mute=lost or "out" in ways,
            )
    return tuple(found.values())


def expected(cuts: Sequence[Cut], zone: str, peer: str, path: str) -> Expected:
    """What the pair has to do while these cuts are in place."""
    by_zone = {cut.zone: cut for cut in cuts}
    own, other = by_zone.get(zone), by_zone.get(peer)
    if own and own.others is None:
        return Expected.MAY
    if path not in FLOWS:
        return Expected.MAY if path == DATABASE else Expected.STAYS
    near = own if own and own.severs(peer) else None
    far = other if other and other.severs(zone) else None
    if not near and not far:
        return Expected.STAYS
    if own and other:
        return Expected.MAY
    unheard = (near and near.deaf) or (far and far.mute)
    return Expected.BREAKS if path != "udp" or unheard else Expected.STAYS


def _zones(named: Any, zones: Mapping[str, str]) -> frozenset[str] | None:
    names = [named] if isinstance(named, str) else [str(one) for one in named]
    if ANYTHING in names:
        return None
    return frozenset(zone for zone, region in zones.items() if zone in names or region in names)
