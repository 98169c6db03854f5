"""What became of money movements, as stored in `measurements.json`. Money is in minor units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stormdrill.content.plain import WHEN_SET

HARMS = ("lost", "duplicated", "altered", "ghost", "refused_booked")
"""Classes of movements that are harm. A reader of the books may be able to show only some of them."""


@dataclass(frozen=True)
class Movement:
    """One money movement of the witness or of the books. Times from t0; None when there is none."""

    key: str
    operation: str
    cell: str
    amount: int
    source: int
    target: int
    intent_s: float | None
    acknowledged_s: float | None
    booked: int
    booked_amount: int | None


@dataclass(frozen=True)
class Tally:
    """How many movements, and their money."""

    count: int
    amount: int


@dataclass(frozen=True)
class Risk:
    """What could have been lost at t0: the state of replication and the writes inside its lag.

    `path` is synchronous, asynchronous, out_of_sync (it did not follow as it should have), unknown, not_switched
    (no promotion after t0) or none (no database in the topology). `at_risk` is None when the lag in seconds is
    not known. On an asynchronous path `within_allowed` writes were acknowledged in the last `allowed_s` seconds, the
    loss that is allowed: a lag longer than that would have lost every one of them.
    """

    path: str
    standbys: tuple[str, ...]
    lag_s: float | None
    at_risk: int | None
    sample_age_s: float | None
    why: str
    allowed_s: float = 0.0
    within_allowed: int | None = None


@dataclass(frozen=True)
class Invariant:
    """A sum over the books that must come out exactly. `why` says why it is not known.

    Of one over all cells, `parts` are what each gave, and `odd` the amounts of some keys that do not cancel.
    """

    id: str
    value: float | None
    expect: float
    cell: str = field(default="", metadata=WHEN_SET)
    why: str = field(default="", metadata=WHEN_SET)
    parts: Mapping[str, int] = field(default_factory=dict, metadata=WHEN_SET)
    odd: Mapping[str, int] = field(default_factory=dict, metadata=WHEN_SET)


@dataclass(frozen=True)
class CellLoss:
    """One cell's part of the loss; `read` tells that its books were read in full. `loss_s` as of `Loss`."""

    cell: str
    read: bool
    intents: int
    acknowledged: int
    lost: Tally
    loss_s: float


@dataclass(frozen=True)
class Loss:
    """Witness against books. `audited` false means that nothing here may be read as "nothing lost".

    `loss_s` is the time from the earliest acknowledgement among the lost to the moment the fault was in place (t0,
    where nobody told it apart); `lost_after_t0` of them were acknowledged only after that (by a site that was cut
    off), of which no such seconds tell. `upper_bound_ratio` is
    3/n when nothing was lost. `movements` holds every key of the classes that need a person's eyes. `shows` are
    the harms that the reader could have shown: a count of 0 of any other says nothing. `cells` are the parts of each
    cell, where there are several. Of a cell whose books alone were not read nothing is called lost: what is not there
    ends as `unread`.
    """

    audited: bool
    complete: bool
    why: str
    reader: str
    shows: tuple[str, ...]
    intents: int
    acknowledged: int
    tallies: Mapping[str, Tally]
    movements: Mapping[str, tuple[Movement, ...]]
    loss_s: float
    lost_after_t0: int
    upper_bound_ratio: float | None
    risk: Risk
    invariants: tuple[Invariant, ...]
    cells: tuple[CellLoss, ...] = field(default=(), metadata=WHEN_SET)

    @property
    def unread(self) -> tuple[str, ...]:
        """Cells whose books were not read although others' were."""
        return tuple(one.cell for one in self.cells if not one.read) if self.tallies.get("unread") else ()
