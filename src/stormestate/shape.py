"""The shape of an estate: regions with their zones, cells with their sites, and the names that follow, frozen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

NAMESPACE = "bank"
"""Of the reference bank; the edge's configuration names it."""
PHONES_NAME = "bank"
"""What phones resolve."""
EDGE_TLS = "edge-tls"
"""The Secret with the edges' certificate, its key, and who signed it."""
DATABASE, LEDGER = "pg", "ledger"
"""What the manifests of `base` call them; a cell's names are these, or these with a suffix."""


@dataclass(frozen=True)
class Zone:
    """A datacenter. `number` counts the serving ones of its region from 1; a witness has none (0)."""

    name: str
    number: int
    at: yaml.Node

    @property
    def serves(self) -> bool:
        """Whether it runs the bank; a witness only votes."""
        return self.number > 0


@dataclass(frozen=True)
class Region:
    """One Kubernetes API with its zones. `number` counts from 1; `etcd` are the zones with a member."""

    name: str
    number: int
    zones: tuple[Zone, ...]
    etcd: tuple[str, ...]
    at: yaml.Node

    @property
    def serving(self) -> tuple[Zone, ...]:
        """Its zones without the witness."""
        return tuple(zone for zone in self.zones if zone.serves)

    @property
    def one_vote(self) -> bool:
        """Whether one of its sites has the only vote: without it none of the others has a leader."""
        return len(self.etcd) == 1 and len(self.serving) > 1


@dataclass(frozen=True)
class Site:
    """Where a cell's database has members; the one in the first zone founds it."""

    region: str
    zones: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A slice of the customers with a database and ledgers of its own. `number` counts from 0."""

    name: str
    number: int
    database: str
    ledger: str
    home: Site
    remotes: tuple[Site, ...]
    at: yaml.Node

    @property
    def sites(self) -> tuple[Site, ...]:
        """Home, then the ones that follow it."""
        return (self.home, *self.remotes)

    @property
    def suffix(self) -> str:
        """What tells its database from another cell's: empty, or `-cell1`."""
        return self.database.removeprefix(DATABASE)

    def set_in(self, zone: str) -> str:
        """The StatefulSet of its member in a zone."""
        return f"{self.database}-{zone}"

    def pod_in(self, zone: str) -> str:
        """Its member in a zone."""
        return f"{self.set_in(zone)}-0"

    def ledgers_in(self, zone: str) -> str:
        """The Deployment of its ledgers in a zone, and the Service over them."""
        return f"{self.ledger}-{zone}"

    def host_in(self, zone: str, region: str) -> str:
        """What databases of other regions call its member."""
        return f"{self.pod_in(zone)}.{self.database}.{NAMESPACE}.svc.{region}.local"

    def site_in(self, region: str) -> Site | None:
        """Its site in a region."""
        return next((site for site in self.sites if site.region == region), None)

    def scope(self, site: Site) -> str:
        """What Patroni calls the database of a site."""
        return self.name if site == self.home else f"{self.name}-{site.region}"


@dataclass(frozen=True)
class Ports:
    """Of loopback, by what they lead to."""

    prometheus: int
    names: int
    api: Mapping[str, int]
    edge: Mapping[str, int]
    edge_tls: Mapping[str, int]
    postgres: Mapping[str, int]
    """By StatefulSet, as `patroni`."""
    patroni: Mapping[str, int]
    parties: Mapping[str, int]


@dataclass(frozen=True)
class Shape:
    """The estate."""

    name: str
    regions: tuple[Region, ...]
    cells: tuple[Cell, ...]
    outside: str
    """Where the lab has what is outside every site."""

    def region(self, name: str) -> Region:
        """The region of that name; KeyError when there is none."""
        return {region.name: region for region in self.regions}[name]

    @property
    def homes(self) -> tuple[str, ...]:
        """Regions where a cell is at home: they serve customers from the start."""
        found = {cell.home.region for cell in self.cells}
        return tuple(region.name for region in self.regions if region.name in found)

    @property
    def serving(self) -> tuple[tuple[Region, Zone], ...]:
        """Every zone that runs the bank."""
        return tuple((region, zone) for region in self.regions for zone in region.serving)

    def cells_in(self, region: str) -> tuple[tuple[Cell, Site], ...]:
        """The cells with a database in a region."""
        found = ((cell, cell.site_in(region)) for cell in self.cells)
        return tuple((cell, site) for cell, site in found if site is not None)


def slot(region: str) -> str:
    """The replication slot kept for a region: PostgreSQL allows no other characters."""
    return re.sub(r"[^a-z0-9_]", "_", region)
