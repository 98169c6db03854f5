"""What an experiment may ask of a cell's database between its two sites, checked before anything is hurt."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from stormdrill.activities import FAIL_OVER
from stormdrill.direct.following import need_following
from stormdrill.direct.routes import Routes
from stormdrill.direct.side import Side, pair_of
from stormdrill.direct.standing import stand
from stormdrill.errors import ActionError, StormdrillError
from stormdrill.estate import Topology
from stormdrill.kube import Cluster
from stormdrill.plan_moves import cells_at_home_in, lost_in, two_sited
from stormdrill.scenario import Activity


@dataclass(frozen=True)
class Way:
    """From which region to which."""

    old: str
    new: str


def cells_meant(topology: Topology, cell: str, lost: Collection[str]) -> list[str]:
    """The cell named, or every one with two sites that is at home in a `lost` region; without any lost, in the first's.

    ActionError when there is none.
    """
    found = two_sited(topology)
    if cell in found:
        return [cell]
    homes = [one.home.region for one in found.values() if one.home is not None]
    cells = [] if cell else cells_at_home_in(topology, lost or homes[:1])
    if not cells:
        there = ", ".join(found) or "none"
        where = f" at home in {', '.join(lost)}" if lost and not cell else ""
        raise ActionError(
            f"no database of cell {cell or '(none named)'} with two sites{where}; there are: {there}"
        )
    return cells


def one_way(sides: Mapping[str, tuple[Side, Side]]) -> Way:
    """The way that all of them go. ActionError when it is not one: phones can be led to one region only."""
    ways = {Way(old.region, new.region) for old, new in sides.values()}
    if len(ways) > 1:
        said = "; ".join(f"{cell} from {old.region} to {new.region}" for cell, (old, new) in sides.items())
        raise ActionError(f"phones can be led to one region only: {said}")
    return next(iter(ways))


def rehearse(
    topology: Topology, clusters: Mapping[str, Cluster], activity: Activity, before: Sequence[Activity] = ()
) -> None:
    """See that a failover could be done now. ActionError or TargetError when not."""
    if activity.function != FAIL_OVER:
        return
    meant = cells_meant(topology, str(activity.arguments.get("cell", "")), lost_in(before))
    pairs = {cell: pair_of(topology, cell, clusters, lambda *_, **__: None) for cell in meant}
    routes = Routes.of(topology)
    for cell, pair in pairs.items():
        for side in (pair.home, pair.standby):
            routes.edges_in(side.region)
        led = routes.regions()
        if led != {pair.home.region}:
            where = ", ".join(sorted(led))
            raise ActionError(f"the name leads to {where}; {cell}'s database is in {pair.home.region}")
        need_following(pair.standby, pair.home)


def unusual(topology: Topology, clusters: Mapping[str, Cluster]) -> list[str]:
    """Databases that do not stand where they do between drills: what that means, and what is safe. Never raises."""
    found = []
    for cell in two_sited(topology):
        try:
            standing = stand(pair_of(topology, cell, clusters, lambda *_, **__: None))
        except StormdrillError as error:
            found.append(f"{cell}: where its database stands is not known: {error}")
            continue
        if not standing.usual:
            found.append(standing.text())
    return found
