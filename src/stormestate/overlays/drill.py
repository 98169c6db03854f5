"""What drills need in a region: agents, and canaries that know whom to watch."""

from __future__ import annotations

from stormestate.overlays.text import config_map, kustomization
from stormestate.shape import Region, Shape

_NAMESPACE = "stormdrill"


def files(shape: Shape, region: Region) -> dict[str, str]:
    """Files of the region's `stormdrill`. Names end with a dot: they are whole, and no search list is tried."""
    peers = ",".join(f"canary.{_NAMESPACE}.svc.{each.name}.local." for each in shape.regions)
    databases = ",".join(
        f"{zone}={cell.host_in(zone, site.region)}.:5432"
        for cell in shape.cells
        for site in cell.sites
        for zone in site.zones
    )
    canary = config_map("canary", "merge", literals=[f"peers={peers}", f"databases={databases}"])
    title = (
        f"Whom the canaries of region {region.name} watch: each other, those of the other regions, and every member\n"
        "of every database by the zone it is in."
    )
    text = kustomization(
        title, bases=["../../base/stormdrill"], configMapGenerator=[canary | {"namespace": _NAMESPACE}]
    )
    return {"kustomization.yaml": text}
