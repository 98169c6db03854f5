"""What a topology says: the estate under drill, as frozen values. `topology` reads them from the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from stormdrill.content.plain import WHEN_SET
from stormdrill.estate_books import Audit
from stormdrill.estate_secrets import Credential
from stormdrill.estate_sites import Database, FencedEdges


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
class Region:
    """One Kubernetes API endpoint. `cluster_id` is the uid of its kube-system namespace, when stated."""

    name: str
    context: str
    zones: tuple[str, ...]
    cluster_id: str | None


@dataclass(frozen=True)
class Edge:
    """An address that phones talk to. `ca` is where the authority is kept that signs for an https one (PEM).

    Without it the machine's own authorities do.
    """

    name: str
    url: str
    ca: Credential | None = field(default=None, metadata=WHEN_SET)


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
class Remainder:
    """Customers whose number leaves `remainder` when divided by `of`."""

    of: int
    remainder: int


@dataclass(frozen=True)
class Cell:
    """A self-contained slice of the service with its own customers; without a rule, an equal share of their numbers."""

    name: str
    customers: Remainder | None = field(default=None, metadata=WHEN_SET)


@dataclass(frozen=True)
class Idempotency:
    """How a request carries its key, and where its JSON body has amount and target."""

    header: str
    amount_field: str | None
    target_field: str | None


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
    def first_database(self) -> str:
        """The cell that is meant where none is named: the first, in the order of the cells, that has a database."""
        return next((cell for cell in self.cells if cell in self.databases), "")

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers that operations have, most important first."""
        return tuple(sorted({operation.tier for operation in self.operations.values()}))
