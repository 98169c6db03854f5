"""One of the two places of a cell's database with the clients that reach it, and both of them as a pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stormdrill.credential import resolve
from stormdrill.direct.patroni import PatroniDirector
from stormdrill.direct.patroni_config import PatroniConfig
from stormdrill.direct.write_proof import WriteProof, write_once, writes_within
from stormdrill.errors import ActionError, DeadlineError, TargetError
from stormdrill.estate import Topology
from stormdrill.estate_sites import DatabaseSite
from stormdrill.fence import FencedSite, Fencing
from stormdrill.fence.deaths import dead_by_agents
from stormdrill.fence.edges import Edges
from stormdrill.fence.fenced import sites_in
from stormdrill.fence.site import Tell
from stormdrill.kube import Cluster
from stormdrill.kube.faults import FaultObjects


@dataclass(frozen=True)
class Side:
    """A site of a cell's database. Calls raise TargetError when what they ask does not answer."""

    cell: str
    site: DatabaseSite
    namespace: str
    container: str | None
    cluster: Cluster
    director: PatroniDirector
    config: PatroniConfig
    password: str | None
    fencing: Fencing

    @property
    def region(self) -> str:
        """Where it is."""
        return self.site.region

    @property
    def text(self) -> str:
        """As people call it: the region, with the cell where it has several."""
        return self.fencing.site.text

    @property
    def whose(self) -> dict[str, Any]:
        """What an event says of the cell; nothing where there is one only."""
        return {"cell": self.cell} if self.fencing.site.cell else {}

    def follows(self) -> bool:
        """Whether it is a standby cluster, by its own settings."""
        return bool(self.config.read().get("standby_cluster"))

    def follows_now(self) -> bool:
        """As `follows`, by its store and not by a copy: a promotion asked for a moment ago counts."""
        return bool(self.config.current().get("standby_cluster"))

    def write(self) -> WriteProof:
        """A committed write, now."""
        return write_once(self.site.dsn, self.password)

    def writes_within(self, deadline_s: float) -> WriteProof:
        """A committed write before the deadline."""
        return writes_within(self.site.dsn, self.password, deadline_s)

    def takes_writes(self) -> WriteProof | None:
        """A committed write, or None when there could be none."""
        try:
            return self.write()
        except TargetError:
            return None


@dataclass(frozen=True)
class Pair:
    """The two sites of a cell's database. Which one leads is asked, not remembered."""

    home: Side
    standby: Side

    def in_region(self, region: str) -> tuple[Side, Side]:
        """The side in `region`, then the other. ActionError when none is there."""
        if self.home.region == region:
            return self.home, self.standby
        if self.standby.region == region:
            return self.standby, self.home
        raise ActionError(
            f"{self.home.cell} has its sites in {self.home.region} and {self.standby.region}, not in {region}"
        )

    def leading(self) -> tuple[Side, Side]:
        """The side that takes writes now, then the other. ActionError when none does, or both do."""
        writing = [side for side in (self.home, self.standby) if side.takes_writes()]
        if len(writing) != 1:
            found = " and ".join(side.region for side in writing) or "no site"
            raise ActionError(f"{self.home.cell}: {found} takes writes")
        return self.in_region(writing[0].region)


def pair_of(topology: Topology, cell: str, clusters: Mapping[str, Cluster], tell: Tell) -> Pair:
    """Clients for both sites of a cell. ActionError when the topology names no second site; reads the password."""
    database = topology.databases.get(cell)
    if database is None or database.home is None or database.standby is None:
        raise ActionError(f"the topology gives {cell} no second site ('home' and 'standby' of its database)")
    password = resolve(database.password, lambda region: clusters[region])

    def side(site: DatabaseSite) -> Side:
        return Side(
            cell=cell,
            site=site,
            namespace=topology.services[database.service].namespace,
            container=database.container,
            cluster=clusters[site.region],
            director=PatroniDirector(site.members),
            config=PatroniConfig(site.members),
            password=password,
            fencing=fencing_of(topology, cell, site.region, clusters[site.region], tell),
        )

    return Pair(side(database.home), side(database.standby))


def fencing_of(topology: Topology, cell: str, region: str, cluster: Cluster, tell: Tell) -> Fencing:
    """The fence around a cell's databases in a region. ActionError when it has none there."""
    fenced = FencedSite.of(topology, cell, region)
    # Asked again and again of members that are dark, where each question costs this long.
    director = PatroniDirector(sites_in(topology, region)[cell].members, timeout_s=1.0)
    return Fencing(
        cluster=cluster,
        site=fenced,
        tell=tell,
        edges=Edges(cluster, topology.fenced_edges) if topology.fenced_edges else None,
        writers=_writers(director),
        dead=dead_by_agents(FaultObjects(cluster)),
        store_lost_s=director.store_lost_s,
    )


def fences_in(topology: Topology, region: str, cluster: Cluster, tell: Tell) -> dict[str, Fencing]:
    """The fences of every cell with a database in a region. ActionError when there is none."""
    cells = sites_in(topology, region)
    if not cells:
        raise ActionError(f"no database of the topology has a site in {region}: nothing to fence there")
    return {cell: fencing_of(topology, cell, region, cluster, tell) for cell in cells}


def _writers(director: PatroniDirector) -> Callable[[], tuple[str, ...]]:
    def writers() -> tuple[str, ...]:
        try:
            return director.cluster().primaries
        except DeadlineError:
            raise
        except TargetError:  # nobody answers: nobody says so
            return ()

    return writers
