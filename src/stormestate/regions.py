"""The compact file's `regions`: zones, the witness, and where etcd votes."""

from __future__ import annotations

from stormestate.place import Place, known_as
from stormestate.shape import Region, Zone

_NONE = "none"
_MOST_ZONES = 9
"""Serving zones of a region: as many as the port plan has room for."""


def read(place: Place) -> tuple[Region, ...]:
    """Every region; what is wrong goes to the places."""
    if place.present and not place.items():
        place.problem("needs at least one region")
    taken: dict[str, str] = {}
    parts = place.items().items()
    return tuple(_region(name, number, part, taken) for number, (name, part) in enumerate(parts, start=1))


def _region(name: str, number: int, place: Place, taken: dict[str, str]) -> Region:
    place.check_name(name)
    fields = place.fields(("context", "cluster_id", "zones", "witness", "etcd"), ("zones",))
    names: list[Place] = []
    for element in fields["zones"].elements():
        zone = element.name()
        if zone in taken:
            element.problem(f"zone '{zone}' is already in {taken[zone]}: a zone is in one region, once")
        elif zone:
            taken[zone] = name
            names.append(element)
    witness = _witness(fields["witness"], name, [element.text() for element in names])
    zones: list[Zone] = []
    for element in names:
        zone = element.text()
        serving = sum(one.serves for one in zones)
        assert element.node is not None  # noqa: S101  elements are there
        zones.append(Zone(zone, 0 if zone == witness else serving + 1, element.node))
    if place.present and not any(zone.serves for zone in zones):
        place.problem("needs at least one zone that is no witness")
    if sum(zone.serves for zone in zones) > _MOST_ZONES:
        fields["zones"].problem(f"at most {_MOST_ZONES} zones of a region have ports")
    etcd = _etcd(fields, place, name, zones)
    assert place.node is not None  # noqa: S101  an entry of a mapping is there
    return Region(name, number, tuple(zones), etcd, place.node)


def _witness(place: Place, region: str, zones: list[str]) -> str | None:
    name = place.text(_NONE)
    if name == _NONE:
        return None
    if name not in zones:
        place.problem(f"the witness '{name}' is no zone of {region}: one of {', '.join(zones)}, or '{_NONE}'")
        return None
    return name


def _etcd(fields: dict[str, Place], place: Place, region: str, zones: list[Zone]) -> tuple[str, ...]:
    """The zones with a member of the region's etcd: an odd number of them."""
    every = [zone.name for zone in zones]
    stated = fields["etcd"]
    if stated.present:
        found = [element.text() for element in stated.elements()]
        for element in stated.elements():
            if element.text() not in every:
                element.problem(known_as(f"zone of {region}", element.text(), every))
        if len(set(found)) != len(found):
            stated.problem("a zone has one member of etcd: name each once")
        elif len(found) % 2 == 0:
            _even(stated, found, "name one less, or one more")
        return tuple(found)
    if len(every) % 2 or not every:
        return tuple(every)
    if fields["witness"].present and all(zone.serves for zone in zones):
        # Without a witness an even number of sites has no vote to break a tie: the last one has none.
        return tuple(every[:-1])
    witness = any(not zone.serves for zone in zones)
    _even(
        place,
        every,
        "say 'witness: none' and drop the witness from zones, or name the voters with 'etcd: [...]'"
        if witness
        else "add a zone that is the 'witness:', or say 'witness: none' (then the last zone has no vote)",
    )
    return tuple(every)


def _even(place: Place, members: list[str], right: str) -> None:
    said = f"an even number of etcd members ({len(members)}: {', '.join(members)}) survives no more than one less"
    place.problem(f"{said}: {right}")
