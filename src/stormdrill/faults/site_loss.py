"""Site loss: a zone, or all zones of a region, fall silent; then every container there is killed and kept down.

Silence comes first, so that no connection is closed in order and clients wait as in a real loss. Nothing is
tainted or deleted: the control plane has to find out for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from stormdrill.errors import ActionError
from stormdrill.faults import Estate
from stormdrill.faults.canaries import Flow, Pair, Scope, severed
from stormdrill.faults.leased import Cut, LeasedFault
from stormdrill.faults.zones import Zone, place_of, zone_of
from stormdrill.faultspec import FaultKind, NodeTarget


@dataclass(frozen=True)
class ZoneLoss(LeasedFault):
    """Lose `zone`, or that of the primary of `cell`."""

    zone: str
    lease_s: float | None = None
    cell: str = ""
    kind: str = "zone_loss"

    def cut(self, estate: Estate) -> Cut:
        """All nodes of the zone."""
        return _dark([place_of(estate, self.zone, self.cell)], estate)


@dataclass(frozen=True)
class RegionLoss(LeasedFault):
    """Lose every zone of `region`; its API server is not in it."""

    region: str
    lease_s: float | None = None
    kind: str = "region_loss"

    def cut(self, estate: Estate) -> Cut:
        """All nodes of the region's zones."""
        region = estate.topology.regions.get(self.region)
        if region is None:
            raise ActionError(f"no region {self.region!r}; there are: {', '.join(estate.topology.regions)}")
        return _dark([zone_of(estate, name) for name in region.zones], estate)


def _dark(zones: Sequence[Zone], estate: Estate) -> Cut:
    names = [zone.name for zone in zones]
    targets = tuple(NodeTarget(node, zone.name, zone.networks) for zone in zones for node in zone.nodes)
    broken = frozenset[Flow]().union(
        *(severed(name, other) for name in names for other in estate.topology.zones if other != name)
    )
    dark: frozenset[Pair] = frozenset(frozenset(two) for two in combinations(names, 2))
    return Cut(FaultKind.SITE_LOSS, tuple(zones), targets, Scope(broken, dark))
