"""Where a cell's database lives and where it may move to, and what else is closed with a site, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stormdrill.estate_secrets import Credential


@dataclass(frozen=True)
class DatabaseSite:
    """One of the two places of a cell's database, for whoever moves it from one to the other.

    `members` maps member names (= pod names) to Patroni REST URLs. `address` is what the other site's database
    calls the members (hosts with commas between), `slot` the replication slot that the other site keeps for them
    while they follow it. `dsn` is where a committed write shows that the site has taken over; it is without
    password.
    """

    region: str
    members: Mapping[str, str]
    address: str
    port: int
    slot: str
    dsn: str

    @property
    def stateful_sets(self) -> dict[str, tuple[str, ...]]:
        """The members' StatefulSets, each with its members: a pod's name is its set's and a number."""
        found: dict[str, list[str]] = {}
        for member in self.members:
            found.setdefault(member.rpartition("-")[0], []).append(member)
        return {name: tuple(sorted(members)) for name, members in found.items()}


@dataclass(frozen=True)
class Database:
    """The database cluster of one cell. `members` maps member names (= pod names) to Patroni REST URLs.

    `crash` is run inside the primary's container to crash its database process. `home` and `standby` are both
    given or neither; `password` belongs to their DSNs.
    """

    cell: str
    kind: str
    service: str
    container: str | None
    members: Mapping[str, str]
    crash: tuple[str, ...]
    home: DatabaseSite | None = None
    standby: DatabaseSite | None = None
    password: Credential | None = None


@dataclass(frozen=True)
class FencedEdges:
    """The edges that are closed with a site: HAProxy pods, their admin socket and the backend with the servers."""

    selector: Mapping[str, str]
    namespace: str
    container: str | None
    socket: str
    backend: str

    @property
    def label_selector(self) -> str:
        """The selector as the Kubernetes API takes it."""
        return ",".join(f"{key}={value}" for key, value in sorted(self.selector.items()))
