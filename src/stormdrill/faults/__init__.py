"""A fault is a value plus inject, verify and revert; one file each.

`inject` hurts and says what it hurt and when; `verify` proves that it did; `revert` proves that nothing of it
is left. The estate comes in through `Estate`, whose parts are real clients; nothing else is touched.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from stormdrill.estate import Topology
from stormdrill.faults.canaries import Canaries, Flow
from stormdrill.kube import Cluster


class MemberState(Protocol):
    """One member of a database cluster."""

    @property
    def name(self) -> str:
        """Its name, which is its pod's."""

    @property
    def reachable(self) -> bool:
        """Whether it spoke for itself."""

    @property
    def state(self) -> str | None:
        """What it does: `running` or `streaming` when it is well."""

    @property
    def started(self) -> str | None:
        """When its database was started, as text that changes with every start; None when it is down."""


class DatabaseState(Protocol):
    """A database cluster as seen now."""

    @property
    def leader(self) -> str | None:
        """Who takes writes; None when nobody does."""

    @property
    def sync_standbys(self) -> Sequence[str]:
        """Who acknowledges commits and may be promoted."""

    @property
    def members(self) -> Sequence[MemberState]:
        """Everyone."""


class DatabaseDirector(Protocol):
    """What a database fault needs to know of the cluster it hurts."""

    def cluster(self) -> DatabaseState:
        """The cluster now. TargetError when nobody answers."""


class Record(Protocol):
    """Appends an event to the run's history."""

    def __call__(self, kind: str, actor: str = ..., *, mono_ns: int | None = ..., **data: Any) -> object:
        """As `History.append`."""


@dataclass(frozen=True)
class Estate:
    """All that a fault may touch.

    `check_stop` raises once the run has to end: nothing more may be hurt. `hurry` says that it is time to stop
    waiting for the estate to be whole again. `holder` is who a fault says that it belongs to. `severed` are the
    flows between zones that faults break now. `closed` are cells whose database stands closed on purpose: nobody waits
    for it to be whole. `following` tells for a cell what its standby site, which followed before the drill, lacks to
    follow (empty: nothing).
    """

    topology: Topology
    clusters: Mapping[str, Cluster]
    directors: Mapping[str, DatabaseDirector]
    record: Record
    choose: random.Random
    check_stop: Callable[[], None]
    hurry: Callable[[], bool] = lambda: False
    canaries: Canaries | None = None
    holder: str = "stormdrill"
    severed: Callable[[], frozenset[Flow]] = frozenset
    closed: Callable[[], frozenset[str]] = frozenset
    following: Mapping[str, Callable[[], str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Injection:
    """One application of a fault: the moment just before the first hurt, and what was hurt.

    `in_place_ns` is when every part of a fault that takes time was known to be there; None: at once.
    """

    name: str
    t0_ns: int
    targets: tuple[dict[str, Any], ...]
    memory: dict[str, Any] = field(default_factory=dict)  # what verify and revert must know; never stored
    in_place_ns: int | None = None


@dataclass(frozen=True)
class Proof:
    """Whether something was shown, by which observation."""

    ok: bool
    why: str
    evidence: dict[str, Any] = field(default_factory=dict)


class Fault(Protocol):
    """What a file of this package defines."""

    @property
    def kind(self) -> str:
        """Its name in the records."""

    def rehearse(self, estate: Estate) -> None:
        """Find whom it would hurt now, and hurt nobody. ActionError when it would find too few."""

    def inject(self, estate: Estate, name: str) -> Injection:
        """Apply the fault. ActionError when it hurt nothing."""

    def verify(self, estate: Estate, injection: Injection) -> Proof:
        """Prove that the targets are hurt."""

    def revert(self, estate: Estate, injection: Injection, deadline_s: float) -> Proof:
        """Take the fault away and prove that it is gone, within `deadline_s`, or before the estate's `hurry`."""
