"""What a region has once: Services of etcd, databases and the roles of the bank, and the settings their pods share."""

from __future__ import annotations

from collections.abc import Iterator

from stormestate import roles
from stormestate.overlays import bank, patroni, services
from stormestate.overlays.text import config_map, document, kustomization
from stormestate.shape import DATABASE, LEDGER, NAMESPACE, Cell, Region, Shape

_BASE = "../../base"
_PARTS = ("etcd/region", "postgres/region", "edge/region", "bank/region")


def files(shape: Shape, region: Region) -> dict[str, str]:
    """Files below the region's `bank`, those of its zones apart."""
    here = shape.cells_in(region.name)
    names = dict(_names([cell for cell, _ in here]))
    patroni_files = {
        patroni.settings_key(cell): patroni.settings(shape, region, cell, site) for cell, site in here
    }
    patroni_files |= {patroni.founding_key(cell): patroni.founding(shape, cell, site) for cell, site in here}
    maps = [
        config_map("etcd", literals=_etcd(region)),
        config_map("bank", "merge", literals=bank.region_settings(shape, region)),
    ]
    if patroni_files:
        maps.append(config_map("patroni", "merge", files=list(patroni_files)))
    asked = [services.directory(role) for role in roles.ROLES]
    zones = [f"zones/{zone.name}" for zone in region.zones if zone.serves or zone.name in region.etcd]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    top = kustomization(
        f"Region {region.name}: its bank, databases and etcd.",
        namespace=NAMESPACE,
        bases=[*(f"{_BASE}/{part}" for part in _PARTS), *names, *asked, *zones],
        resources=["namespace.yaml"],
        configMapGenerator=maps,
    )
    own = {"kustomization.yaml": top, "namespace.yaml": document("The bank's.", namespace)}
    found = own | patroni_files | {f"{path}/kustomization.yaml": text for path, text in names.items()}
    for role in roles.ROLES:
        found |= services.service(role, _BASE)
    return found


def _names(cells: list[Cell]) -> Iterator[tuple[str, str]]:
    """The names of each cell's database and ledgers, by directory."""
    for cell in cells:
        for what, stem, name, base in (
            ("database", DATABASE, cell.database, "postgres/cell"),
            ("ledgers", LEDGER, cell.ledger, "bank/cell"),
        ):
            yield (
                f"cells/{cell.name}-{what}",
                kustomization(
                    f"The name under which the {what} of {cell.name} are found.",
                    nameSuffix=name.removeprefix(stem),
                    commonLabels={"cell": cell.name},
                    bases=[f"../../{_BASE}/{base}"],
                ),
            )


def _etcd(region: Region) -> list[str]:
    members = ",".join(f"etcd-{zone}-0=http://etcd-{zone}-0.etcd:2380" for zone in region.etcd)
    return [f"initial-cluster={members}", f"cluster-token=stormlab-{region.name}"]
