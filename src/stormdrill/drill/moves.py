"""What an experiment may ask of a cell's database between its two sites, checked before anything is hurt."""

from __future__ import annotations

from collections.abc import Mapping

from stormdrill.activities import FAIL_OVER
from stormdrill.direct.following import need_following
from stormdrill.direct.routes import Routes
from stormdrill.direct.side import pair_of
from stormdrill.direct.standing import stand
from stormdrill.errors import ActionError, StormdrillError
from stormdrill.estate import Topology
from stormdrill.kube import Cluster
from stormdrill.scenario import Activity


def cell_of(topology: Topology, cell: str) -> str:
    """The cell meant: the one named, or the only one whose database has two sites. ActionError when unclear."""
    names = [name for name, one in topology.databases.items() if one.home and one.standby]
    if cell in names:
        return cell
    if cell or len(names) != 1:
        found = ", ".join(names) or "none"
        raise ActionError(f"no database of cell {cell or '(none named)'} with two sites; there are: {found}")
    return names[0]


def rehearse(topology: Topology, clusters: Mapping[str, Cluster], activity: Activity) -> None:
    """See that a failover could be done now. ActionError or TargetError when not."""
    if activity.function != FAIL_OVER:
        return
    cell = cell_of(topology, str(activity.arguments.get("cell", "")))
    pair = pair_of(topology, cell, clusters, lambda *_, **__: None)
    routes = Routes.of(topology)
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
    for cell, database in topology.databases.items():
        if database.home is None or database.standby is None:
            continue
        try:
            standing = stand(pair_of(topology, cell, clusters, lambda *_, **__: None))
        except StormdrillError as error:
            found.append(f"{cell}: where its database stands is not known: {error}")
            continue
        if not standing.usual:
            found.append(standing.text())
    return found
