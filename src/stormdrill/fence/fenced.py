"""Which databases a fence closes: a cell's in one region, by the topology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stormdrill.errors import ActionError
from stormdrill.estate import Topology
from stormdrill.estate_sites import DatabaseSite


@dataclass(frozen=True)
class FencedSite:
    """What is closed: a cell's databases in a region, by StatefulSet, each with its members (= pods).

    `cell` is said only where the region has the databases of several cells: each of them has a fence of its own.
    `neighbours` are the others, with their namespaces.
    """

    region: str
    namespace: str
    stateful_sets: Mapping[str, tuple[str, ...]]
    cell: str = ""
    neighbours: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, topology: Topology, cell: str, region: str) -> FencedSite:
        """The databases that `cell` has in `region`. ActionError when there are none to move."""
        there = sites_in(topology, region)
        if cell not in there:
            raise ActionError(f"no database of cell {cell} has a site in {region}: nothing to fence there")
        namespaces = {name: topology.services[topology.databases[name].service].namespace for name in there}
        return cls(
            region,
            namespaces[cell],
            there[cell].stateful_sets,
            cell if len(there) > 1 else "",
            {name: namespace for name, namespace in namespaces.items() if name != cell},
        )

    @property
    def text(self) -> str:
        """As people call it."""
        return f"{self.region} ({self.cell})" if self.cell else self.region


def sites_in(topology: Topology, region: str) -> dict[str, DatabaseSite]:
    """The sites of databases that the topology has in `region`, by cell."""
    return {
        cell: site
        for cell, database in topology.databases.items()
        for site in (database.home, database.standby)
        if site is not None and site.region == region
    }
