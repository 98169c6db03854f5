"""Where each cell's archives stand, and whose log they keep: in every zone of the home, and in every other region."""

from __future__ import annotations

from collections.abc import Iterator

from stormestate.overlays.text import ZONE, document, env, kustomization, workload
from stormestate.shape import Cell, Region, Shape, Zone


def places(shape: Shape, cell: Cell) -> Iterator[str]:
    """Zones with an archive of the cell.

    All that serve at home: the primary moves between them, and wherever it is another one has an archive.
    """
    yield from (zone.name for zone in shape.region(cell.home.region).serving)
    yield from (remote.zones[0] for remote in cell.remotes)


def here(shape: Shape, zone: Zone) -> list[Cell]:
    """The cells whose archive stands in a zone."""
    return [cell for cell in shape.cells if zone.name in places(shape, cell)]


def directory(cell: Cell) -> str:
    """Of its files, in a zone's."""
    return f"{cell.name}-archive"


def files(cell: Cell, region: Region, zone: Zone, base: str) -> dict[str, str]:
    """Its files in a zone's directory; `base` leads from there to the manifests that all share."""
    # Every member that may ever take writes, the near ones first.
    sites = sorted(cell.sites, key=lambda site: site.region != region.name)
    members = [f"{cell.host_in(name, site.region)}.:5432" for site in sites for name in site.zones]
    told = env({"ARCHIVE_NAME": f"archive-{zone.name}", "ARCHIVE_MEMBERS": ",".join(members)})
    pod = {"nodeSelector": {ZONE: zone.name}, "containers": [{"name": "archive", "env": told}]}
    at = directory(cell)
    return {
        f"{at}/archive.yaml": document(
            f"The archive of {cell.name} in {zone.name}.", workload("StatefulSet", "archive", pod)
        ),
        f"{at}/kustomization.yaml": kustomization(
            f"The archive of {cell.name}; the zone's name comes after the cell's.",
            nameSuffix=f"-{cell.name}",
            commonLabels={"cell": cell.name},
            bases=[f"../{base}/postgres/archive"],
            patchesStrategicMerge=["archive.yaml"],
        ),
    }
