"""Counts since the start, and the seconds cut from them; memory does not grow with time.

One writer (the generator's loop) only ever adds; one reader (the keeper's thread) takes differences. So no
count is lost at a boundary and no lock is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from stormdrill.load.histogram import Histogram, quantile_ms
from stormdrill.load.live import LoadSecond, OperationSecond
from stormdrill.records.layout import Outcome
from stormdrill.units import NS_PER_MS, NS_PER_S

_OUTCOMES = len(Outcome)


class Tally:
    """What the loop has counted. All methods but `cut` are the loop's side."""

    def __init__(self, operations: Sequence[str], start_ns: int) -> None:
        self._operations = tuple(operations)
        self._start_ns = start_ns
        self._nothing = [0] * len(operations)
        self._planned: dict[int, list[int]] = {}
        self._cut = 0  # seconds before this one have been reported
        self._last = (
            sys.maxsize
        )  # the second in which the load ends; planned demand beyond it never falls due
        self._overdue = list(self._nothing)
        self._ended = [0] * (len(operations) * _OUTCOMES)
        self._response = Histogram()
        self._lateness = Histogram()
        self._retried = 0
        self.inflight = 0
        self._before = self._snapshot()
        self._before_ns = start_ns

    def planned(self, operation: int, due_ns: int) -> None:
        """A logical request is, or will be, due at `due_ns`."""
        second = (due_ns - self._start_ns) // NS_PER_S
        if second < self._cut or second > self._last:
            self._overdue[operation] += 1
            return
        # No call between here and the count: the other thread cannot come in between.
        if second not in self._planned:
            self._planned[second] = [*self._nothing]
        self._planned[second][operation] += 1

    def withdraw(self, operation: int, due_ns: int) -> None:
        """What was planned for `due_ns` is no longer due: the load ends before."""
        counts = self._planned.get((due_ns - self._start_ns) // NS_PER_S)
        if counts is not None:
            counts[operation] -= 1

    def close(self, at_ns: int) -> None:
        """The load ends at `at_ns`: what is planned for later is not due, what is counted from now on is."""
        self._last = (at_ns - self._start_ns) // NS_PER_S

    def sent(self, lateness_ns: int) -> None:
        """An attempt goes out, `lateness_ns` after the generator should have sent it."""
        self.inflight += 1
        self._lateness.add(lateness_ns)

    def answered(self) -> None:
        """An attempt is over."""
        self.inflight -= 1

    def late(self, lateness_ns: int) -> None:
        """A request is dropped because the generator is this late."""
        self._lateness.add(lateness_ns)

    def ended(self, operation: int, outcome: int, response_ns: int | None, *, final: bool) -> None:
        """An attempt was recorded; `response_ns` from the due time when it was answered."""
        if not final:
            self._retried += 1
            return
        self._ended[operation * _OUTCOMES + outcome] += 1
        if response_ns is not None:
            self._response.add(response_ns)

    def cut(self, now_ns: int, loop_stall_ms: float, *, end: bool = False) -> LoadSecond:
        """The stretch that ends now, as one line; the next one starts. The keeper's side.

        A second's demand is reported once it is over; that of the last second at the `end` only, after
        everything that does not fall due any more has been withdrawn.
        """
        self._cut = self._last + 1 if end else min(self._last, (now_ns - self._start_ns) // NS_PER_S)
        due = [self._planned.pop(second) for second in list(self._planned) if second < self._cut]
        now = self._snapshot()
        ended, response, lateness, (retried,), overdue = (
            [after - before for after, before in zip(*pair, strict=True)]
            for pair in zip(now, self._before, strict=True)
        )
        offered = [sum(counts) for counts in zip(overdue, *due, strict=True)]
        span_ns = now_ns - self._before_ns
        self._before, self._before_ns = now, now_ns
        count = [sum(ended[outcome::_OUTCOMES]) for outcome in range(_OUTCOMES)]
        return LoadSecond(
            t_ns=now_ns,
            offered=sum(offered),
            good=count[Outcome.GOOD],
            shed=count[Outcome.SHED],
            failed=count[Outcome.FAILED],
            unknown=count[Outcome.UNKNOWN],
            blocked=count[Outcome.BLOCKED],
            dropped=count[Outcome.DROPPED],
            inflight=self.inflight,
            p50_ms=quantile_ms(response, 0.50),
            p99_ms=quantile_ms(response, 0.99),
            lateness_p99_ms=quantile_ms(lateness, 0.99),
            loop_stall_ms=round(loop_stall_ms, 1),
            retried=retried,
            span_ms=round(span_ns / NS_PER_MS, 1),
            by_operation=self._by_operation(offered, ended),
        )

    def _by_operation(self, offered: Sequence[int], ended: Sequence[int]) -> dict[str, OperationSecond]:
        seconds = {}
        for index, name in enumerate(self._operations):
            counts = ended[index * _OUTCOMES : (index + 1) * _OUTCOMES]
            good = counts[Outcome.GOOD]
            blocked = counts[Outcome.BLOCKED]
            seconds[name] = OperationSecond(offered[index], good, sum(counts) - good - blocked, blocked)
        return seconds

    def _snapshot(self) -> tuple[list[int], ...]:
        return (
            list(self._ended),
            list(self._response.counts),
            list(self._lateness.counts),
            [self._retried],
            list(self._overdue),
        )
