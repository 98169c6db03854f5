"""The bank's settings in one region: which cells there are, where their ledgers are, and what a ledger may do."""

from __future__ import annotations

from stormestate import roles
from stormestate.shape import NAMESPACE, Cell, Region, Shape, Site

_SLOTS = 4
"""Workers of a ledger in an estate of one cell, twice as many as in `base`: only those of the cell's home zone work.

The cells of an estate share them.
"""


_PATIENT = {"BANK_DB_SEARCH_S": "0.5"}
"""Where a database takes no writes for months: each search is a new connection to it."""


def region_settings(shape: Shape, region: Region) -> list[str]:
    """What gateways and ledgers of a region share, as `NAME=value`."""
    ledgers = ",".join(f"{cell.name}={'|'.join(_ledgers(cell, region))}" for cell in shape.cells)
    cells = ",".join(cell.name for cell in shape.cells)
    zones = ",".join(zone.name for _, zone in shape.serving)
    by_zone = ",".join(each for cell in shape.cells for each in _by_zone(shape, cell, region))
    return [
        f"BANK_CELLS={cells}",
        f"BANK_ZONES={zones}",
        f"BANK_LEDGERS={ledgers}",
        f"BANK_LEDGER_ZONES={by_zone}",
        *_asked(shape),
        *_capacity(len(shape.cells)),
    ]


def ledger_settings(cell: Cell, site: Site) -> dict[str, str]:
    """What a ledger has of its own: its cell, and the members of the cell's database in its region."""
    found = {"BANK_CELL": cell.name, "BANK_DB_DSN": _dsn(cell, site)}
    if site == cell.home:
        # What a new bank begins with; elsewhere the database brings its own.
        found["BANK_HOME"] = site.zones[0]
    else:
        found |= _PATIENT
    return found


def database_settings(shape: Shape, region: Region) -> dict[str, str]:
    """What a process has of its own that works on every database of the region."""
    here = shape.cells_in(region.name)
    found = {"BANK_DB_DSNS": " ".join(f"{cell.name}={_dsn(cell, site)}" for cell, site in here)}
    return found if any(site == cell.home for cell, site in here) else found | _PATIENT


def _dsn(cell: Cell, site: Site) -> str:
    members = ",".join(f"{cell.pod_in(zone)}.{cell.database}:5432" for zone in site.zones)
    return f"postgresql://bank@{members}/bank?target_session_attrs=read-write"


def _ledgers(cell: Cell, region: Region) -> list[str]:
    """A cell's ledgers as a gateway of the region calls them: its own region's, else all there are."""
    if cell.site_in(region.name) is not None:
        return [f"http://{cell.ledger}:8090"]
    return [f"http://{cell.ledger}.{NAMESPACE}.svc.{site.region}.local:8090" for site in cell.sites]


def _by_zone(shape: Shape, cell: Cell, region: Region) -> list[str]:
    """The same ledgers zone by zone, under the names that `zone` gives them: a home is a zone."""
    if cell.site_in(region.name) is not None:
        return [
            f"{cell.name}@{zone.name}=http://{cell.ledgers_in(zone.name)}:8090" for zone in region.serving
        ]
    return [
        f"{cell.name}@{zone.name}=http://{cell.ledgers_in(zone.name)}.{NAMESPACE}.svc.{site.region}.local:8090"
        for site in cell.sites
        for zone in shape.region(site.region).serving
    ]


def _asked(shape: Shape) -> list[str]:
    """Where gateways find each service, under its own name in their region, and where other firms are found."""
    services = ",".join(f"{role.name}=http://{role.name}:{role.port}" for role in roles.ROLES if role.asked)
    parties = [f"{party.setting}=http://{shape.outside}:{party.port}" for party in roles.PARTIES]
    return [*([f"BANK_SERVICES={services}"] if services else []), *parties]


def _capacity(cells: int) -> list[str]:
    """As many workers as one cell's ledgers have, over all cells, as near as whole ones come to it."""
    return [f"BANK_SLOTS={max(1, round(_SLOTS / cells))}"]
