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
from stormdrill.faults.zones import zone_of
from stormdrill.faultspec import FaultKind, NodeTarget


@dataclass(frozen=True)
class ZoneLoss(LeasedFault):
    """Lose `zone`."""

    zone: str
    lease_s: float | None = None
    kind: str = "zone_loss"

    def cut(self, estate: Estate) -> Cut:
        """All nodes of the zone."""
        return _dark(estate, [self.zone])


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
        return _dark(estate, region.zones)


def _dark(estate: Estate, names: Sequence[str]) -> Cut:
    zones = tuple(zone_of(estate, name) for name in names)
    targets = tuple(NodeTarget(node, zone.name, zone.networks) for zone in zones for node in zone.nodes)
    broken = frozenset[Flow]().union(
        *(severed(name, other) for name in names for other in estate.topology.zones if other != name)
    )
    dark: frozenset[Pair] = frozenset(frozenset(two) for two in combinations(names, 2))
    return Cut(FaultKind.SITE_LOSS, zones, targets, Scope(broken, dark))
