"""What a run's measurements are, as stored in `measurements.json` (`stormdrill.measurements/1`).

Seconds are relative to t0 (the first fault applied) unless a name says otherwise; money is in minor units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stormdrill.measure.failover_values import NOTHING, Failover
from stormdrill.measure.money_values import Loss
from stormdrill.measure.trust_values import (
    Agreement,
    Freshness,
    Generator,
    Machine,
    PrometheusClock,
    RecordsState,
    Stretch,
)

SCHEMA = "stormdrill.measurements/1"


@dataclass(frozen=True)
class PhaseSpan:
    """A phase; seconds from the start of the load."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class FaultMark:
    """One fault as applied; `at_s` from the start of the load, `t0_s` from the first fault."""

    name: str
    fault: str
    at_s: float
    t0_s: float
    reverted_s: float | None
    proven: bool | None
    proof: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A named piece of a recovery time."""

    name: str
    start_s: float
    end_s: float
    how: str


@dataclass(frozen=True)
class Recovery:
    """How long one operation of one cell stayed hurt after one fault.

    `value_s` is the start of the first bin after which no bin within the window is bad; None when that never
    came (then `lower_bound_s` holds) or when nothing was asked (`requests` 0). The true moment lies between
    `lower_bound_s` (the last bad request's due time) and `value_s`. `resolution_s` is the bin width, or the
    empty stretch at the edge when no request was due there; `largest_gap_s` is the longest time within the
    judged window in which nothing was asked: an outage as long as that could have hidden. `blocked` requests
    never reached the operation (an earlier step failed), so they say nothing about it. `relapses` is hurt
    that came back after a whole clean window, with no fault of its own; `well_at_end` is false when nothing
    good was seen after the last bad bin of the run.
    """

    operation: str
    tier: str
    cell: str
    fault: str
    source: str
    value_s: float | None
    lower_bound_s: float
    resolution_s: float
    largest_gap_s: float
    clean_s: float
    well_at_end: bool
    first_hurt_s: float | None
    requests: int
    hurt: int
    blocked: int
    lost_demand_s: float | None
    relapses: tuple[Stretch, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Share:
    """Requests of a subject in a window, by what became of them.

    `requests` leaves out `excused` and `dropped`.

    Every request of `requests` is exactly one of good, late (right, but after the deadline), shed, failed,
    unknown or blocked. `excused` are those that a stall of the generator or the end of the load cut short.
    """

    subject: str
    phase: str
    requests: int
    good: int
    late: int
    shed: int
    failed: int
    unknown: int
    blocked: int
    dropped: int
    excused: int
    p50_ms: float | None
    p99_ms: float | None
    attempts: int

    @property
    def ratio(self) -> float | None:
        """Success ratio, None without requests."""
        return self.good / self.requests if self.requests else None

    @property
    def reached_ratio(self) -> float | None:
        """Success ratio of what was sent: a step blocked by an earlier one tells of that one's time."""
        sent = self.requests - self.blocked
        return self.good / sent if sent else None


@dataclass(frozen=True)
class Timeline:
    """One value a second; `start_s` is the first second, from the start of the load."""

    start_s: float
    series: Mapping[str, tuple[int, ...]]
    p50_ms: tuple[float | None, ...]
    p99_ms: tuple[float | None, ...]


@dataclass(frozen=True)
class Inversion:
    """A gateway that gave up a more important tier before a less important one, in 10 s."""

    pod: str
    at_s: float
    important: str
    lesser: str
    important_ratio: float
    lesser_ratio: float
    sheds: int


@dataclass(frozen=True)
class Flow:
    """What flow control did. `bins` counts gateway x 10 s stretches with enough sheds to judge the order."""

    measured: bool
    why: str
    sheds: Mapping[str, int]
    admitted: Mapping[str, int]
    bins: int
    inversions: tuple[Inversion, ...]
    worst_over_limit: float | None
    inflight_samples: int
    client_sheds: Mapping[str, int]
    reject_p99_ms: float | None
    rejects: int
    retry_amplification: float | None


@dataclass(frozen=True)
class Asserted:
    """A PromQL assertion: the worst aggregate of any series in any of its phases, and how many samples.

    `samples` is the number in the poorest series and phase, `missing` the phases that had none.
    """

    id: str
    query: str
    phases: tuple[str, ...]
    aggregate: str
    limit: str
    holds: bool | None
    min_samples: int
    samples: int
    empty: int
    missing: tuple[str, ...]
    value: float | None
    worst: str
    worst_phase: str
    problem: str


@dataclass(frozen=True)
class Ended:
    """One event that ended a run early, or one that says what did not go as planned.

    `kind` is abort, cut, load.died, activity.failed, fault.refused, fault.ended_early, fault.not_restored,
    revert.failed or hypothesis. `by` is guard, signal, user or drill.

    Of a hypothesis `ok` tells whether it held, `after_fault` when, and `probe` which of its probes was the last
    to be asked (the one that ended it, when it did not hold). `unseen` says that this one gave no answer.
    """

    kind: str
    at_s: float
    why: str
    by: str = ""
    ok: bool = False
    after_fault: bool = False
    objective: bool = False
    probe: str = ""
    unseen: bool = False


@dataclass(frozen=True)
class Measurements:
    """Everything measured of one run."""

    run: str
    t0_utc: str | None
    load_start_utc: str | None
    phases: tuple[PhaseSpan, ...]
    faults: tuple[FaultMark, ...]
    judged_from_s: float
    judged_to_s: float
    recoveries: tuple[Recovery, ...]
    hurt: tuple[Share, ...]
    shares: tuple[Share, ...]
    timeline: Timeline
    loss: Loss
    flow: Flow
    asserted: tuple[Asserted, ...]
    generator: Generator
    machine: Machine
    prometheus: Freshness
    prometheus_clock: PrometheusClock
    agreement: Agreement
    records: RecordsState
    ended: tuple[Ended, ...]
    clock_spread_s: float
    failover: Failover = NOTHING
    schema: str = SCHEMA
