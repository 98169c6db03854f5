"""What a failover, its fence and the way back came to, as stored in `measurements.json`.

Seconds are from t0 (the first fault applied) unless a name says otherwise; money is in minor units.
"""

from __future__ import annotations

from dataclasses import dataclass

from stormdrill.measure.canary_values import Canaries


@dataclass(frozen=True)
class Step:
    """One event of the story: who did what, when."""

    at_s: float
    utc: str
    kind: str
    actor: str
    what: str


@dataclass(frozen=True)
class Alert:
    """An alert of the estate's own Prometheus. `fired_s` of one that was on before t0 lies before 0."""

    alert: str
    labels: str
    fired_s: float
    resolved_s: float | None


@dataclass(frozen=True)
class Alarms:
    """What the estate's monitoring noticed. `detected_s`: the first alert that fired after t0.

    `rules` is how many alerting rules were evaluated, None when nobody watched them; `problem` says why not, or for
    how long it was not seen. `broken` rules could not be evaluated.
    """

    rules: int | None
    broken: tuple[str, ...]
    problem: str
    alerts: tuple[Alert, ...]
    detected_s: float | None

    @property
    def first(self) -> tuple[Alert, ...]:
        """Those that were seen to fire first after t0, at the same look."""
        return tuple(one for one in self.alerts if one.fired_s == self.detected_s)

    @property
    def before(self) -> tuple[Alert, ...]:
        """Those that were on at t0 already: they detected nothing."""
        return tuple(one for one in self.alerts if one.fired_s < 0 <= (one.resolved_s or 0.0))


@dataclass(frozen=True)
class Decision:
    """What somebody decided. `by_default` says that nobody was asked: a runbook took its declared answer."""

    at_s: float
    what: str
    actor: str
    by_default: bool


@dataclass(frozen=True)
class Fence:
    """How a site was kept from writing: proven, by quorum loss, by edge or declared."""

    site: str
    how: str
    at_s: float
    why: str


@dataclass(frozen=True)
class Takeover:
    """Another timeline took the writes of a cell.

    `first_write_s` is its first acknowledged write as far as the history tells; `directed` says that a director
    promoted it (by decision) and not the cluster itself. `fences` are those armed before it.
    """

    cell: str
    member: str
    phase: str
    started_s: float | None
    done_s: float
    first_write_s: float
    directed: bool
    proof: str
    fences: tuple[Fence, ...]
    decided: bool


@dataclass(frozen=True)
class Forked:
    """A movement that stands on the old timeline. `dual` is yes, no or undecided (its time is not known well enough).

    `end` tells what it is to the customer: `acknowledged, not on the new timeline`, `on both timelines`,
    `refused`, `no answer` or `nobody meant it`.
    """

    key: str
    operation: str
    amount: int
    source: int
    target: int
    meant_s: float | None
    acknowledged_s: float | None
    end: str
    dual: str


@dataclass(frozen=True)
class Dual:
    """Commits on the old timeline after the new one's first acknowledged write, of one cell.

    `fork` is read (the old timeline was exported in full), partial or none; without it only what phones were told
    can be counted, and `seen_by` is `witness`. `last_s` is the last such commit from the first write on, by the old
    site's clock, known to ± `clock_error_s`; None when that clock is not known. `undecided` commits are too close
    to the first write for the clocks.
    """

    cell: str
    fork: str
    why: str
    seen_by: str
    commits: int
    rows: int
    amount: int
    count: int
    acknowledged: int
    undecided: int
    last_s: float | None
    clock_error_s: float | None
    movements: tuple[Forked, ...]


@dataclass(frozen=True)
class LossThen:
    """Acknowledged movements missing from the books read after the failover, before the return.

    `late` of them are in the final books after all; `since` were in these books and are missing from the final ones.
    """

    audited: bool
    complete: bool
    why: str
    read_s: float | None
    acknowledged: int
    count: int
    amount: int
    loss_s: float
    after_t0: int
    late: int
    since: int


@dataclass(frozen=True)
class Pause:
    """The longest time of the return in which no write of a cell was good; `value_s` None: it did not end."""

    cell: str
    value_s: float | None
    lower_bound_s: float
    resolution_s: float
    at_s: float | None
    requests: int
    hurt: int


@dataclass(frozen=True)
class Redundancy:
    """When a cell had a synchronous standby again after its last change of hands; None: not seen to the end."""

    cell: str
    leader: str
    changed_s: float
    restored_s: float | None
    before: bool
    samples: int
    how: str


@dataclass(frozen=True)
class Failover:
    """All of it; everything is empty in a run that has no such events."""

    canaries: Canaries
    steps: tuple[Step, ...]
    alarms: Alarms
    decisions: tuple[Decision, ...]
    takeovers: tuple[Takeover, ...]
    duals: tuple[Dual, ...]
    loss_then: LossThen | None
    returned: bool
    switched_back: bool
    pauses: tuple[Pause, ...]
    redundancy: tuple[Redundancy, ...]
    decision_to_write_s: float | None


UNWATCHED = Alarms(None, (), "", (), None)
NOTHING = Failover(Canaries((), ()), (), UNWATCHED, (), (), (), None, False, False, (), (), None)
