"""What an estate cannot do, said where people look: by `check`, and in the lab's status."""

from __future__ import annotations

from collections.abc import Iterator

from stormestate.shape import Shape


def of(shape: Shape) -> tuple[str, ...]:
    """One sentence for each weakness that follows from the file."""
    return (*_votes(shape), *_pairs(shape))


def _votes(shape: Shape) -> Iterator[str]:
    for region in shape.regions:
        if region.one_vote:
            voter = region.etcd[0]
            others = ", ".join(zone.name for zone in region.serving if zone.name != voter)
            yield (
                f"{region.name} has its etcd in {voter} alone: while {voter} is lost, nothing in {others} takes writes "
                f"or can be promoted. A person brings {voter} or its etcd back, or fails a cell over to its remote site"
            )


def _pairs(shape: Shape) -> Iterator[str]:
    for cell in shape.cells:
        if len(cell.home.zones) == 1:
            yield f"{cell.name} has no synchronous standby: the loss of {cell.home.zones[0]} loses data"
        for site in cell.remotes:
            if len(site.zones) == 1:
                yield f"{cell.name} is unprotected after a promotion in {site.region}: one member there"
        for site in cell.remotes[1:]:
            yield f"{cell.name} fails over to {cell.remotes[0].region}; {site.region} keeps a copy, and is not led anew"
