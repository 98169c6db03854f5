"""What a topology says: the estate under drill, as frozen values. `topology` reads them from the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal


class Environment(StrEnum):
    """What is at stake. A topology that says nothing is production."""

    LAB = "lab"
    PRODUCTION = "production"


class SystemType(StrEnum):
    """A service's nature; it chooses the checks."""

    FLOW = "flow"
    ACCOUNT = "account"
    COMPUTE = "compute"
    QUERY = "query"


class OperationKind(StrEnum):
    """Whether an operation changes the books."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True)
class SecretKey:
    """One key of a Kubernetes Secret."""

    region: str
    namespace: str
    name: str
    key: str


@dataclass(frozen=True)
class Credential:
    """Where a secret is kept; the secret itself never enters a plan. Exactly one of the three is set."""

    env: str | None = None
    file: Path | None = None
    secret: SecretKey | None = None


@dataclass(frozen=True)
class Region:
    """One Kubernetes API endpoint. `cluster_id` is the uid of its kube-system namespace, when stated."""

    name: str
    context: str
    zones: tuple[str, ...]
    cluster_id: str | None


@dataclass(frozen=True)
class Edge:
    """An address that phones talk to."""

    name: str
    url: str


@dataclass(frozen=True)
class PrometheusSource:
    """Where samples come from and how old the newest may be."""

    url: str
    max_age_s: float
    timeout_s: float
    step_s: float
    bearer: Credential | None


@dataclass(frozen=True)
class Service:
    """Pods that belong together, as actions name them. Empty `regions` means all regions."""

    name: str
    selector: Mapping[str, str]
    type: SystemType
    namespace: str
    regions: tuple[str, ...]
    container: str | None

    @property
    def label_selector(self) -> str:
        """The selector as the Kubernetes API takes it."""
        return ",".join(f"{key}={value}" for key, value in sorted(self.selector.items()))


@dataclass(frozen=True)
class Operation:
    """One kind of business request. An answer counts as goodput only within `deadline_s` of its due time.

    `match` holds the `METHOD name` texts under which a foreign locustfile reports this operation.
    """

    name: str
    tier: str
    kind: OperationKind
    deadline_s: float
    match: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A self-contained slice of the service with its own customers."""

    name: str


@dataclass(frozen=True)
class Idempotency:
    """How a request carries its key, and where its JSON body has amount and target."""

    header: str
    amount_field: str | None
    target_field: str | None


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


@dataclass(frozen=True)
class Invariant:
    """A query over the books that must give exactly `expect`."""

    id: str
    query: str
    expect: int


@dataclass(frozen=True)
class SqlAudit:
    """Books read by SQL. `movements` yields (key, amount, source, target, id) for ids above `%(since)s`."""

    dsn: str
    password: Credential | None
    high_water: str
    movements: str
    invariants: tuple[Invariant, ...]
    deadline_s: float
    kind: Literal["sql"] = "sql"


@dataclass(frozen=True)
class HttpAudit:
    """Books asked by idempotency key, `{key}` in `url`.

    The statuses say found or missing; the fields are names in its JSON answer.
    """

    url: str
    found: int
    missing: int
    headers: Mapping[str, str]
    bearer: Credential | None
    amount_field: str | None
    source_field: str | None
    target_field: str | None
    id_field: str | None
    deadline_s: float
    kind: Literal["http"] = "http"


@dataclass(frozen=True)
class CsvAudit:
    """Books exported to a file by somebody; a missing file at audit time is an incomplete audit."""

    file: Path
    key_column: str
    amount_column: str
    source_column: str | None
    target_column: str | None
    id_column: str | None
    kind: Literal["csv"] = "csv"


@dataclass(frozen=True)
class NoAudit:
    """Nobody reads the books: data loss cannot be shown."""

    why: str
    kind: Literal["none"] = "none"


Audit = SqlAudit | HttpAudit | CsvAudit | NoAudit


@dataclass(frozen=True)
class CanarySource:
    """Where the canaries' word is found: PromQL whose series have labels zone, peer and path, and say 1 or 0."""

    metric: str


@dataclass(frozen=True)
class Resolver:
    """Where the name that phones resolve is answered: a URL whose answer is `resolved.Resolved` as JSON."""

    url: str


@dataclass(frozen=True)
class DrillLock:
    """The Lease that lets one drill at a time run on the estate; it lives in the first region."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Topology:
    """The estate. `has_lab` tells that this file can also build it on one machine.

    `profile` is the traffic that fits this estate; it is used when somebody runs an experiment written for
    another topology on it.
    """

    path: Path
    sha256: str
    name: str
    environment: Environment
    namespace: str
    regions: Mapping[str, Region]
    edges: tuple[Edge, ...]
    prometheus: PrometheusSource
    services: Mapping[str, Service]
    operations: Mapping[str, Operation]
    cells: Mapping[str, Cell]
    idempotency: Idempotency | None
    databases: Mapping[str, Database]
    audit: Audit
    metrics: Mapping[str, str]
    continuity: Path
    profile: Path | None
    lock: DrillLock
    has_lab: bool
    fenced_edges: FencedEdges | None = None
    canaries: CanarySource | None = None
    resolver: Resolver | None = None
    lines: Mapping[str, int] = field(
        default_factory=dict, compare=False, repr=False, metadata={"plain": False}
    )
    """Where each value stands in the file (`prometheus.url`), for what shows only when it is used."""

    @property
    def zones(self) -> dict[str, str]:
        """Every zone, in order, with its region."""
        return {zone: region.name for region in self.regions.values() for zone in region.zones}

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers that operations have, most important first."""
        return tuple(sorted({operation.tier for operation in self.operations.values()}))
