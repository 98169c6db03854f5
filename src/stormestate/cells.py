"""The compact file's `cells`: where each cell's database is at home, stands by, and is followed from."""

from __future__ import annotations

from collections.abc import Iterable

from stormestate.place import Place, known_as
from stormestate.shape import DATABASE, LEDGER, Cell, Region, Site

_MOST_CELLS = 24
"""As many as the port plan has room for."""


def read(place: Place, regions: Iterable[Region]) -> tuple[Cell, ...]:
    """Every cell; those without a usable primary are left out. What is wrong goes to the places."""
    if place.present and not place.items():
        place.problem("needs at least one cell")
    reader = _Reader(tuple(regions))
    found = []
    for number, (name, part) in enumerate(place.items().items()):
        if cell := reader.cell(name, number, part):
            found.append(cell)
    if len(place.items()) > _MOST_CELLS:
        place.problem(f"at most {_MOST_CELLS} cells have ports")
    return tuple(found)


class _Reader:
    def __init__(self, regions: tuple[Region, ...]) -> None:
        self._serving = {zone.name: region.name for region in regions for zone in region.serving}
        self._witnesses = {zone.name for region in regions for zone in region.zones if not zone.serves}

    def cell(self, name: str, number: int, place: Place) -> Cell | None:
        place.check_name(name)
        fields = place.fields(("database", "ledger", "primary", "standby", "remote"), ("primary",))
        database = _object_name(fields["database"], DATABASE, name)
        ledger = _object_name(fields["ledger"], LEDGER, name)
        primary = self._primary(fields["primary"])
        if primary is None:
            return None
        home = self._home(fields["standby"], primary)
        remotes = self._remotes(fields["remote"], home)
        assert place.node is not None  # noqa: S101  an entry of a mapping is there
        return Cell(name, number, database, ledger, home, remotes, place.node)

    def _zone(self, place: Place) -> str | None:
        """A zone that can hold data, or None with a problem."""
        name = place.text()
        if name in self._witnesses:
            place.problem(f"'{name}' is a witness and holds no data; one of {', '.join(self._serving)}")
        elif name and name not in self._serving:
            place.problem(known_as("zone", name, self._serving))
        return name if name in self._serving else None

    def _primary(self, place: Place) -> str | None:
        if not place.is_list:
            return self._zone(place) if place.present else None
        named = place.elements()
        if len(named) != 1:
            names = ", ".join(element.text() for element in named)
            right = "keep one, and name the other under 'standby' or as the primary of another cell"
            place.problem(f"{len(named)} primaries ({names}): a cell has one; {right}")
        zones = [self._zone(element) for element in named]
        return zones[0] if zones else None

    def _home(self, place: Place, primary: str) -> Site:
        region, zones = self._serving[primary], [primary]
        for element in place.elements():
            zone = self._zone(element)
            if zone is None:
                continue
            if zone == primary:
                element.problem(f"primary and standby are both in {zone}, which would be lost with both")
            elif self._serving[zone] != region:
                there = f"{zone} is in {self._serving[zone]}, the primary in {region}"
                element.problem(f"{there}: a standby is in the primary's region; name it under 'remote'")
            elif zone in zones:
                element.problem(f"{zone} is named twice")
            else:
                zones.append(zone)
        return Site(region, tuple(zones))

    def _remotes(self, place: Place, home: Site) -> tuple[Site, ...]:
        by_region: dict[str, list[str]] = {}
        for element in place.elements():
            zone = self._zone(element)
            if zone is None:
                continue
            region = self._serving[zone]
            if region == home.region:
                element.problem(f"home and remote are both in {region}: name it under 'standby'")
            elif zone in by_region.get(region, []):
                element.problem(f"{zone} is named twice")
            else:
                by_region.setdefault(region, []).append(zone)
        return tuple(Site(region, tuple(zones)) for region, zones in by_region.items())


def _object_name(place: Place, stem: str, cell: str) -> str:
    name = place.name(f"{stem}-{cell}")
    if name != stem and not name.startswith(f"{stem}-"):
        place.problem(
            f"'{name}' must be '{stem}' or begin with '{stem}-', as the manifests of 'base' call it"
        )
        return f"{stem}-{cell}"
    return name
