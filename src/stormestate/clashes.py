"""What two parts of an estate would both be called."""

from __future__ import annotations

from collections.abc import Iterator

from stormestate.place import Place
from stormestate.shape import Cell, Shape


def report(place: Place, shape: Shape) -> None:
    """Report every name that two cells would share, at the later cell. `place` is the file's `cells`."""
    taken: dict[str, str] = {}
    parts = place.items()
    for cell in shape.cells:
        for what in dict.fromkeys(_names(cell, shape)):
            holder = taken.setdefault(what, cell.name)
            if holder != cell.name:
                parts[cell.name].problem(
                    f"{what} would be {holder}'s as well; give the cell another 'database' or 'ledger', or name"
                )


def _names(cell: Cell, shape: Shape) -> Iterator[str]:
    yield f"the Service '{cell.database}'"
    yield f"the Service '{cell.ledger}'"
    for site in cell.sites:
        yield f"the Patroni scope '{cell.scope(site)}' in {site.region}"
        for zone in site.zones:
            yield f"the StatefulSet '{cell.set_in(zone)}'"
        for serving in shape.region(site.region).serving:
            yield f"the Deployment '{cell.ledgers_in(serving.name)}'"
            yield f"the Service '{cell.ledgers_in(serving.name)}'"
