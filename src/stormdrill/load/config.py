"""What the generator is told: one frozen value, JSON on the child's stdin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from stormdrill.content.plain import from_plain, to_plain
from stormdrill.errors import InputError
from stormdrill.estate import Edge, Idempotency, Operation, Remainder, Resolver, Topology
from stormdrill.plan import Plan
from stormdrill.population import Population
from stormdrill.profile import Profile
from stormdrill.records.keys import SUFFIX as KEYS_SUFFIX
from stormdrill.store import Run


@dataclass(frozen=True)
class LoadConfig:
    """Everything the child needs; it reads no other file but the locustfile.

    `operations`, `edges` and `cells` are in the order of the records' legend; `rules` says by cell whose customers are
    its own, and is empty where shares are equal. `channel_fd` is the child's end of a
    socket pair with its parent, -1 when it was started by hand; `parent_pid` 0 means nobody to die with.
    """

    run: str
    run_path: Path
    locustfile: Path
    seed: int
    profile: Profile
    edges: tuple[Edge, ...]
    operations: tuple[Operation, ...]
    cells: tuple[str, ...]
    idempotency: Idempotency | None
    resolver: Resolver | None = None
    rules: tuple[Remainder | None, ...] = ()
    authorities: tuple[str, ...] = ()
    """Certificates of authorities (PEM) by edge; empty text, or none at all: the machine's own."""
    source: str = "load-0"
    channel_fd: int = -1
    parent_pid: int = 0

    @classmethod
    def of(
        cls,
        run: Run,
        topology: Topology,
        profile: Profile,
        locustfile: Path,
        seed: int,
        *,
        authorities: Mapping[str, str] = MappingProxyType({}),
    ) -> LoadConfig:
        """The configuration of one generator for `run`; `authorities` as PEM, by the edge's name."""
        return cls(
            run=run.id,
            run_path=run.path,
            locustfile=locustfile,
            seed=seed,
            profile=profile,
            edges=topology.edges,
            operations=tuple(topology.operations.values()),
            cells=tuple(topology.cells),
            idempotency=topology.idempotency,
            resolver=topology.resolver,
            rules=tuple(cell.customers for cell in topology.cells.values()),
            authorities=tuple(authorities.get(edge.name, "") for edge in topology.edges),
        )

    @classmethod
    def from_plan(
        cls, plan: Plan, run: Run, authorities: Mapping[str, str] = MappingProxyType({})
    ) -> LoadConfig:
        """The configuration of the load of `plan`; InputError when its experiment names no locustfile."""
        settings = plan.experiment.load
        if settings.locustfile is None:
            raise InputError("the experiment's load names no locustfile: it says how a request looks")
        profile = plan.profile
        if settings.scale is not None:
            profile = replace(profile, scale=settings.scale)
        return cls.of(
            run, plan.topology, profile, settings.locustfile, settings.seed, authorities=authorities
        )

    @property
    def population(self) -> Population:
        """Whose accounts are used, by cell."""
        return Population(self.profile.customers, len(self.cells), self.rules)

    @property
    def requests_file(self) -> Path:
        """Request records."""
        return Run(self.run_path).requests / f"{self.source}.rec"

    @property
    def witness_file(self) -> Path:
        """Witness records."""
        return Run(self.run_path).witness / f"{self.source}.rec"

    @property
    def keys_file(self) -> Path:
        """Texts of the keys that a witness record does not give back."""
        return Run(self.run_path).witness / f"{self.source}{KEYS_SUFFIX}"

    @property
    def seconds_file(self) -> Path:
        """The one-second lines of `live.LoadSecond`."""
        return Run(self.run_path).requests / "generator.jsonl"

    @property
    def log_file(self) -> Path:
        """What the child and the locustfile print."""
        return Run(self.run_path).requests / "generator.log"

    def to_text(self) -> str:
        """JSON text."""
        return json.dumps(to_plain(self), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> LoadConfig:
        """Read `to_text` back; InputError on anything else."""
        try:
            return from_plain(cls, json.loads(text))
        except ValueError as error:
            raise InputError(f"load configuration: {error}") from None
