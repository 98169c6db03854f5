"""What an experiment says, as frozen values. `experiment` reads them from the Chaos Toolkit file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from stormdrill.limit import Limit

TIMES_LOW_S: Mapping[str, float] = {"warmup": 0, "steady": 1, "window": 1, "recover_limit": 1, "settle": 0}
"""The least length of each phase, wherever it is given."""
SCALE_BOUNDS = (0.0001, 10_000.0)
SEED_BOUNDS = (0, 2**63 - 1)


class Aggregate(StrEnum):
    """How the samples of a phase become one number."""

    MAX = "max"
    MIN = "min"
    MEAN = "mean"
    LAST = "last"


class ActivityKind(StrEnum):
    """An action changes, a probe reads."""

    ACTION = "action"
    PROBE = "probe"


@dataclass(frozen=True)
class LoadSettings:
    """Which load. `scale` replaces the profile's own; no locustfile means the profile's journeys."""

    profile: Path
    locustfile: Path | None
    seed: int
    scale: float | None


@dataclass(frozen=True)
class Times:
    """Lengths of the phases, seconds. `window_s` is H; settle lasts `settle_s`, and at least H."""

    warmup_s: float
    steady_s: float
    window_s: float
    recover_limit_s: float
    settle_s: float


@dataclass(frozen=True)
class Health:
    """When a bin of the load counts as good, for the recovery clock.

    `success` is the least ratio of good answers in a bin, `goodput` the least ratio of the steady goodput,
    and `p99_s` the longest p99 (None: each operation's own deadline).
    """

    success: float
    goodput: float
    p99_s: float | None


@dataclass(frozen=True)
class Objectives:
    """Objectives that this experiment states itself, by tier; they outrank the continuity file.

    `max_lost` is None when the experiment does not say: then nothing may be lost but what `data_loss` allows.
    """

    recovery_time_s: Mapping[str, float]
    data_loss_s: Mapping[str, float]
    hurt: Mapping[str, float]
    success: Mapping[str, float]
    max_lost: int | None
    max_duplicated: int


@dataclass(frozen=True)
class Assertion:
    """A PromQL query whose aggregate over each named phase must keep the limit, given enough samples.

    With `by_series` each series is held against the limit; otherwise all samples are aggregated together.
    """

    id: str
    query: str
    phases: tuple[str, ...]
    aggregate: Aggregate
    limit: Limit
    min_samples: int


@dataclass(frozen=True)
class FlowControl:
    """Checks of flow control: order of importance (first kept longest), how many sheds show an order."""

    order: tuple[str, ...]
    min_sheds: int
    in_flight_slack: float


@dataclass(frozen=True)
class GuardRule:
    """An abort condition: when `limit` is broken for `grace_s`, the drill ends.

    Exactly one of `metric` (a field of the load's one-second lines) and `query` (PromQL) is set. `objective`
    says that breaking it is by itself a failure of the client's objective.
    """

    id: str
    metric: str | None
    query: str | None
    limit: Limit
    grace_s: float
    objective: bool


@dataclass(frozen=True)
class Activity:
    """One step of the method, or one probe of the hypothesis. `function` is the bare name in our module."""

    name: str
    kind: ActivityKind
    function: str
    arguments: Mapping[str, Any]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Experiment:
    """One drill scenario. `hypothesis` and `rollbacks` may be empty; `method` never is."""

    path: Path
    sha256: str
    title: str
    name: str
    fault_class: str
    topology: Path
    load: LoadSettings
    times: Times
    health: Health
    objectives: Objectives
    assertions: tuple[Assertion, ...]
    flow_control: FlowControl | None
    guard: tuple[GuardRule, ...]
    hypothesis: tuple[Activity, ...]
    method: tuple[Activity, ...]
    rollbacks: tuple[Activity, ...]
    lines: Mapping[str, int] = field(
        default_factory=dict, compare=False, repr=False, metadata={"plain": False}
    )
    """Where each value stands in the file (`fault_class`, `objectives.hurt.A`), for checks across files."""
