"""What a golden run is described by: a scene in a few words, the truth that is known of it, its plan and its clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stormdrill import plan as plan_file
from stormdrill.plan import Plan
from stormdrill.records.layout import Legend, Outcome
from stormdrill.scenario import FlowControl

ESTATE = Path(__file__).parent / "estate"
S = 1_000_000_000
T0 = 1_000 * S  # monotonic time of the first fault in every scene
WALL = 1_700_000_000 * S  # wall-clock time of monotonic 0
OPERATIONS = ("login", "balance", "transfer", "payment", "bills", "checkin")
TIERS = ("A1", "A2", "A1", "A1", "B", "C")
WRITES = ("transfer", "payment")
STEADY_S = 20.0
WARMUP_S = 2.0


@dataclass(frozen=True)
class Outage:
    """Requests of an operation (or all) due in [start, end) seconds from t0 end with `outcome`; of a cell, or all."""

    start_s: float
    end_s: float
    operation: str = "*"
    outcome: Outcome = Outcome.FAILED
    probes_only: bool = False
    share: float = 1.0
    cell: int | None = None


Told = tuple[float, str, str, dict[str, Any]]
"""Seconds from t0, phase, kind and data of an event."""


@dataclass(frozen=True)
class Scene:
    """A run in a few words.

    Seconds are from t0; rates are a second; movements go by their number among the acknowledged.
    """

    after_s: float = 40.0
    probes: dict[str, float] = field(
        default_factory=lambda: {"transfer": 100.0, "login": 10.0, "balance": 10.0, "payment": 10.0}
    )
    sessions: dict[str, float] = field(default_factory=lambda: dict.fromkeys(OPERATIONS, 5.0))
    outages: tuple[Outage, ...] = ()
    faults_s: tuple[float, ...] = (0.0,)
    fault: str = "kill_pods"
    where: tuple[dict[str, Any], ...] = ()  # the targets, where they are not pods
    reverted_s: float = 5.0  # after the fault
    return_s: tuple[float, float] | None = None
    told: tuple[Told, ...] = ()  # events beside those that the other fields make
    proven: bool = True
    lost: frozenset[int] = frozenset()
    duplicated: frozenset[int] = frozenset()
    altered: frozenset[int] = frozenset()
    ghosts: int = 0
    unknown_booked_share: float = 0.5
    refused_booked: bool = False
    books: bool = True
    books_complete: bool = True
    shows: tuple[str, ...] | None = None  # what the reader says it can show; None: it says nothing
    invariant: int = 0
    across: dict[str, Any] | None = None  # an invariant over all cells, as it is stored
    freeze_s: tuple[float, float] | None = None
    lateness_ms: float = 1.0
    prometheus_gone_s: tuple[float, float] | None = None
    prometheus_clock_s: tuple[float | None, ...] = (
        0.003,
        -0.004,
    )  # ahead of ours, before the load and after it
    guard_blind: bool = False
    series_fetched: bool = True
    assertion_value: float | None = 0.0
    shed: dict[str, float] = field(default_factory=dict)  # share of a tier's requests refused by each gateway
    demand: dict[str, float] = field(default_factory=lambda: {"A": 60.0, "B": 30.0, "C": 20.0})
    restart_s: float | None = None  # gateway 0 loses its counters here
    over_limit: float = -10.0
    flow_asked: bool = False  # the experiment asks for flow control; it does so whenever anything is shed
    pressure: float = 0.3
    sync: str | None = "sync"  # sync | async | None (not sampled)
    lag_s: float | None = 0.2
    leader_change_s: float | None = None
    leader_lost_s: float | None = None
    replaced_s: float | None = None
    abort: dict[str, Any] | None = None
    aborted_s: float | None = None
    revert_failed: bool = False
    hypothesis: str = (
        ""  # after the fault: "held", or the probe that ended it and how (customers: no | no answer)
    )
    load_stops_s: float | None = None
    fault_class: str = "stateless-pod-loss"
    response_ms: float = 20.0
    agreement: float = 1.0
    seed: int = 1
    cells: tuple[str, ...] = ("cell0",)  # each asks as much as the rates say
    unread: tuple[str, ...] = ()  # cells whose books were not read


@dataclass(frozen=True)
class Truth:
    """What the builder did, by key."""

    lost: frozenset[str]
    duplicated: frozenset[str]
    altered: frozenset[str]
    ghosts: frozenset[str]
    unknown_booked: frozenset[str]
    unknown_absent: frozenset[str]
    acknowledged: int
    amounts: dict[str, int]
    cell_of: dict[str, str]


def golden_plan(fault_class: str = "stateless-pod-loss", *, flow_asked: bool = False) -> Plan:
    """The plan of the golden estate."""
    plan = plan_file.load(ESTATE / "experiment.yaml")
    control = FlowControl(("A", "B", "C"), 50, 0.0) if flow_asked else None
    return replace(plan, experiment=replace(plan.experiment, fault_class=fault_class, flow_control=control))


def legend(kind: str, cells: tuple[str, ...] = ("cell0",)) -> Legend:
    """The legend of every golden record file."""
    return Legend(kind, OPERATIONS, TIERS, cells, ("city1-a",), T0, T0 + WALL)


def unix(at_s: float) -> float:
    """Seconds from t0 as Unix time."""
    return (T0 + WALL) / S + at_s
