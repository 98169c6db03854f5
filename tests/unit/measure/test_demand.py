"""From attempts to logical requests."""

from __future__ import annotations

import numpy as np

from stormdrill.measure.demand import Demand, demand
from stormdrill.records.layout import REQUEST, Flag, Legend, Outcome, Reason

LEGEND = Legend("requests", ("transfer",), ("A1",), ("cell0",), ("a",), 0, 0)
MS = 1_000_000
S = 1_000 * MS


def row(
    seq: int, due_ms: int, sent_ms: int, answered_ms: int, outcome: Outcome, **more: int
) -> tuple[int, ...]:
    flags = Flag.FINAL if more.get("final", 1) else Flag(0)
    return (
        seq, due_ms * MS, sent_ms * MS, answered_ms * MS, 0, 0, 0, more.get("attempt", 1), outcome,
        more.get("reason", 0), 0, flags, 0,
    )  # fmt: skip


def joined(
    *rows: tuple[int, ...], stalls: tuple[tuple[int, int], ...] = (), load_end_ns: int | None = None
) -> Demand:
    names = [name for name in REQUEST.names or () if name not in ("reserved", "crc")]
    data = np.zeros(len(rows), REQUEST)
    for i, values in enumerate(rows):
        for name, value in zip(names, values, strict=True):
            data[i][name] = value
    return demand(data, LEGEND, [2.0], stalls, load_end_ns)


def test_a_retry_is_one_request_good_within_the_deadline_of_the_first_due_time() -> None:
    found = joined(
        row(1, 1000, 1000, 1500, Outcome.FAILED, final=0), row(1, 1000, 1600, 2900, Outcome.GOOD, attempt=2)
    )
    assert len(found) == 1
    assert bool(found.good[0])
    assert (int(found.attempts[0]), float(found.response_ms[0])) == (2, 1900.0)


def test_a_right_answer_after_the_deadline_is_not_good() -> None:
    found = joined(row(1, 1000, 1000, 3001, Outcome.GOOD))
    assert not found.good[0]
    assert found.outcome[0] == Outcome.GOOD


def test_a_request_without_its_last_record_is_unknown() -> None:
    found = joined(row(1, 1000, 1000, 1500, Outcome.FAILED, final=0), row(2, 9000, 9000, 9010, Outcome.GOOD))
    assert (found.outcome[0], bool(found.excused[0])) == (Outcome.UNKNOWN, False)


def test_a_request_cut_short_before_its_deadline_is_excused() -> None:
    cut = row(1, 9000, 9000, 0, Outcome.UNKNOWN, reason=Reason.PHASE_END)
    waited = row(2, 7000, 7000, 0, Outcome.UNKNOWN, reason=Reason.PHASE_END)
    assert list(joined(waited, cut, load_end_ns=10 * S).excused) == [False, True]


def test_given_up_between_attempts_is_failed_not_blocked() -> None:
    found = joined(
        row(1, 1000, 1000, 1500, Outcome.FAILED, final=0), row(1, 1000, 0, 0, Outcome.BLOCKED, attempt=2),
        row(2, 1000, 0, 0, Outcome.BLOCKED),
    )  # fmt: skip
    assert list(found.outcome) == [Outcome.FAILED, Outcome.BLOCKED]
    assert list(found.asked) == [True, False]
    assert list(found.attempts) == [1, 0]


def test_what_overlaps_a_stall_is_no_evidence_good_or_bad() -> None:
    rows = [
        row(1, 1000, 1000, 1020, Outcome.GOOD), row(2, 1990, 1990, 2010, Outcome.GOOD),
        row(3, 2500, 5000, 5020, Outcome.FAILED), row(4, 5100, 5100, 5120, Outcome.GOOD),
    ]  # fmt: skip
    assert list(joined(*rows, stalls=((2 * S, 5 * S),)).excused) == [False, True, True, False]


def test_dropped_is_the_generators_fault_not_the_banks() -> None:
    found = joined(row(1, 1000, 0, 0, Outcome.DROPPED))
    assert (bool(found.excused[0]), int(found.attempts[0])) == (True, 0)


def test_no_records_are_no_demand() -> None:
    assert len(joined()) == 0


def test_a_fault_hurts_what_waits_at_t0_but_not_what_was_late_before() -> None:
    rows = [
        row(1, 1000, 1000, 9000, Outcome.FAILED), row(2, 4500, 4500, 5300, Outcome.FAILED),
        row(3, 4500, 4500, 4600, Outcome.GOOD), row(4, 5100, 5100, 5200, Outcome.GOOD),
    ]  # fmt: skip
    found = joined(*rows)
    touched = {int(due) // MS for due in found.due_ns[found.touched_by(5 * S, 60 * S)]}
    assert touched == {4500, 5100}
