"""From attempts to demand: one row per logical request, with what became of it in the end.

A logical request is due once, however often the phone tries; it is good when its last attempt was answered
correctly within the operation's deadline of the first due time. Everything here is numpy over all requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stormdrill.measure.generator import overlaps
from stormdrill.records.layout import Flag, Legend, Outcome, Reason
from stormdrill.units import NS_PER_MS, NS_PER_S

Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Demand:
    """Logical requests, by due time. `deadline_ns` is due plus the operation's deadline.

    `end_ns` is the time of the last answer, or the deadline without one.

    `excused` marks what is evidence of nothing: it overlaps a stall of the generator, was dropped by it, or
    was cut short by the end of the load before its deadline.
    """

    legend: Legend
    due_ns: Ints
    sent_ns: Ints
    end_ns: Ints
    deadline_ns: Ints
    response_ms: npt.NDArray[np.float64]
    operation: npt.NDArray[np.int64]
    cell: Small
    outcome: Small
    probe: Bools
    good: Bools
    excused: Bools
    attempts: Ints

    def __len__(self) -> int:
        return len(self.due_ns)

    def touched_by(self, t0_ns: int, until_ns: int) -> Bools:
        """What a fault at t0 can have hurt: due before `until_ns`, at t0 neither over nor late already."""
        open_ = (self.end_ns >= t0_ns) & (self.deadline_ns >= t0_ns)
        return np.asarray(open_ & (self.due_ns < until_ns), np.bool_)

    @property
    def asked(self) -> Bools:
        """Evidence about the operation itself: neither excused nor blocked by an earlier step."""
        return np.asarray(~self.excused & (self.outcome != Outcome.BLOCKED), np.bool_)

    def select(self, keep: Ints | slice) -> Demand:
        """The rows of an index; of a slice, without copying."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "legend"}
        return Demand(self.legend, **{name: value[keep] for name, value in fields.items()})


def demand(
    records: npt.NDArray[Any],
    legend: Legend,
    deadlines_s: Sequence[float],
    stalls: Sequence[tuple[int, int]] = (),
    load_end_ns: int | None = None,
) -> Demand:
    """Join the attempts of each logical request. `deadlines_s` is by operation number of the legend."""
    ordered, first, last = _groups(records)
    once = len(first) == len(ordered)  # nobody retried: spare the copies
    heads, tails = (ordered, ordered) if once else (ordered[first], ordered[last])
    due_ns = np.minimum.reduceat(ordered["due_ns"], first) if len(first) else heads["due_ns"]
    operation = tails["operation"].astype(np.int64)
    deadline_ns = (np.asarray([*deadlines_s, 0.0]) * NS_PER_S).astype(np.int64)[operation]
    answered_ns = tails["answered_ns"].astype(np.int64)
    outcome, reason = tails["outcome"].copy(), tails["reason"]
    unfinished = (tails["flags"] & Flag.FINAL == 0) & _sent(outcome)
    outcome[unfinished] = Outcome.UNKNOWN
    # Given up between two attempts: the first one reached the operation, so nothing blocked it.
    outcome[(outcome == Outcome.BLOCKED) & (heads["sent_ns"] > 0)] = Outcome.FAILED
    took_ns = answered_ns - due_ns
    good = (outcome == Outcome.GOOD) & (answered_ns > 0) & (took_ns <= deadline_ns)
    end_ns = np.where(answered_ns > 0, answered_ns, due_ns + deadline_ns)
    excused = (outcome == Outcome.DROPPED) | overlaps(due_ns, end_ns, stalls)
    unfinished |= reason == Reason.PHASE_END
    excused |= unfinished & (due_ns + deadline_ns > _log_end_ns(ordered, load_end_ns))
    sent = last - first + (tails["sent_ns"] > 0)
    result = Demand(
        legend=legend,
        due_ns=due_ns,
        sent_ns=heads["sent_ns"].astype(np.int64),
        end_ns=end_ns,
        deadline_ns=due_ns + deadline_ns,
        response_ms=np.where(answered_ns > 0, took_ns / NS_PER_MS, np.nan),
        operation=operation,
        cell=tails["cell"].copy(),
        outcome=outcome,
        probe=(tails["flags"] & Flag.PROBE) != 0,
        good=good,
        excused=excused,
        attempts=sent,
    )
    return result.select(np.argsort(due_ns, kind="stable"))


def _groups(records: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Ints, Ints]:
    """Records by (seq, attempt), with the index of each request's first and last attempt."""
    seq = records["seq"]
    order = np.lexsort((records["sent_ns"], records["attempt"], seq))
    ordered = records if np.array_equal(order, np.arange(len(order))) else records[order]
    starts = (
        np.flatnonzero(np.r_[True, ordered["seq"][1:] != ordered["seq"][:-1]])
        if len(seq)
        else np.empty(0, int)
    )
    ends = np.r_[starts[1:], len(ordered)] - 1 if len(starts) else starts
    return ordered, starts.astype(np.int64), ends.astype(np.int64)


def _sent(outcome: Small) -> Bools:
    """Attempts that may be followed by another one; without it and without FINAL the log ended early."""
    return (outcome == Outcome.SHED) | (outcome == Outcome.FAILED) | (outcome == Outcome.UNKNOWN)  # type: ignore[no-any-return]


def _log_end_ns(records: npt.NDArray[Any], load_end_ns: int | None) -> int:
    """When the load stopped, or the last thing written when nobody said so."""
    if load_end_ns is not None or not len(records):
        return load_end_ns or 0
    return int(max(records["answered_ns"].max(), records["sent_ns"].max(), records["due_ns"].max()))
