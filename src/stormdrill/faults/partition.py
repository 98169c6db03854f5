"""Partition: packets between a zone and another, a region, or everything are dropped on the zone's nodes.

Stateless, so that established connections are cut as well; both ways or one. Within the zone all goes on, and
its agents keep their way to the API, which is how the partition ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from stormdrill.errors import ActionError
from stormdrill.faults import Estate
from stormdrill.faults.canaries import Flow, Scope, severed
from stormdrill.faults.leased import Cut, LeasedFault
from stormdrill.faults.zones import place_of, zone_of
from stormdrill.faultspec import ANYWHERE, Direction, FaultKind, NodeTarget

ANYTHING = "anything"
DIRECTIONS = {
    "both": (Direction.IN, Direction.OUT),
    "in": (Direction.IN,),
    "out": (Direction.OUT,),
}


@dataclass(frozen=True)
class Partition(LeasedFault):
    """Cut `zone` (or that of the primary of `cell`) from `from_`: a zone, a region, or `anything`.

    `direction` is seen from the zone: `in` drops what comes to it, `out` what leaves it.
    """

    zone: str
    from_: str = ANYTHING
    direction: str = "both"
    lease_s: float | None = None
    cell: str = ""
    kind: str = "partition"

    def cut(self, estate: Estate) -> Cut:
        """The nodes of the zone, and the networks of those it is cut from."""
        zone = place_of(estate, self.zone, self.cell)
        others = self._others(estate, zone.name)
        outside: tuple[str, ...] = (ANYWHERE,)
        if self.from_ != ANYTHING:
            networks = {net for name in others for net in zone_of(estate, name).networks}
            outside = tuple(sorted(networks - set(zone.networks)))
        targets = tuple(
            NodeTarget(node, zone.name, zone.networks, outside, DIRECTIONS[self.direction])
            for node in zone.nodes
        )
        deaf, mute = self.direction != "out", self.direction != "in"
        broken = frozenset[Flow]().union(
            *(severed(zone.name, other, deaf=deaf, mute=mute) for other in others)
        )
        return Cut(FaultKind.PARTITION, (zone,), targets, Scope(broken), self.from_)

    def _others(self, estate: Estate, zone: str) -> list[str]:
        """The zones on the other side. ActionError when there are none."""
        zones, regions = estate.topology.zones, estate.topology.regions
        if self.from_ == ANYTHING:
            named = list(zones)
        elif self.from_ in regions:
            named = list(regions[self.from_].zones)
        elif self.from_ in zones:
            named = [self.from_]
        else:
            raise ActionError(f"cut {zone} from {self.from_!r}? That is no zone and no region")
        others = [name for name in named if name != zone]
        if not others:
            raise ActionError(f"there is nothing to cut {zone} from")
        return others
