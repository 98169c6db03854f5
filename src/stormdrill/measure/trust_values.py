"""What a run's numbers rest on, as stored in `measurements.json`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stretch:
    """A stretch of time, seconds from t0."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Generator:
    """Health of the load generator in the judged window."""

    seconds: int
    expected_seconds: int
    lateness_p99_ms: float | None
    probe_lateness_p99_ms: float | None
    dropped: int
    offered: int
    worst_stall_ms: float
    stalls: tuple[Stretch, ...]
    ended_early_s: float | None


@dataclass(frozen=True)
class Machine:
    """Pressure on the machine that runs harness and generator."""

    seconds: int
    mean: float | None
    worst_15s_mean: float | None


@dataclass(frozen=True)
class PrometheusClock:
    """Its clock beside the harness's, the worst of all times it was compared; `why` says what is not known.

    `offset_s` is positive when its clock was ahead, and known to ± `error_s`.
    """

    compared: int
    offset_s: float | None
    error_s: float | None
    why: str


@dataclass(frozen=True)
class Freshness:
    """Age of the newest Prometheus sample, second by second, in the judged window."""

    seconds: int
    expected_seconds: int
    worst_age_s: float | None
    stale_seconds: int
    errors: int
    first_error: str
    longest_hole_s: float


@dataclass(frozen=True)
class Agreement:
    """Requests in steady state as counted by the client and by Prometheus; None when not counted.

    `step_requests` is what one step of the series holds: samples may be that much older at one end than at the other.
    """

    client: int | None
    prometheus: float | None
    why: str
    step_requests: float = 0.0


@dataclass(frozen=True)
class RecordsState:
    """How whole the record files are."""

    requests: int
    witness: int
    bad: int
    torn_bytes: int
    problems: tuple[str, ...]
