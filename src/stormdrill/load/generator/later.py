"""Demand that will not be served: steps that stay unreachable, recorded when each of them falls due.

A customer whose login failed, or who closed the app, still stands for the steps that were planned; so does
one for whom the generator had no phone. They count at their planned time, not at the time of the failure.
"""

from __future__ import annotations

import heapq
import itertools
import time
from dataclasses import dataclass

from stormdrill.load.generator.moment import Stop
from stormdrill.load.recorder import Recorder
from stormdrill.load.tally import Tally
from stormdrill.records.layout import Outcome, Reason

_TURN_S = 0.05


@dataclass(frozen=True, slots=True)
class Unserved:
    """A step that nobody will send, and why."""

    due_ns: int
    operation: int
    session: int
    cell: int
    outcome: Outcome
    reason: Reason


class Later:
    """Holds unserved steps until they are due. The tally already counts them as planned."""

    def __init__(self, recorder: Recorder, tally: Tally, stop: Stop) -> None:
        self._recorder, self._tally, self._stop = recorder, tally, stop
        self._heap: list[tuple[int, int, Unserved]] = []
        self._order = itertools.count()

    def add(self, unserved: Unserved) -> None:
        """Keep one until it is due."""
        heapq.heappush(self._heap, (unserved.due_ns, next(self._order), unserved))

    def run(self) -> None:
        """Record what falls due until the load ends."""
        while not self._stop.wait(_TURN_S):
            self._record_until(time.monotonic_ns())

    def finish(self) -> None:
        """Record what was due when the load ended, and take the rest back."""
        self._record_until(self._stop.at_ns)
        for due_ns, _, unserved in self._heap:
            self._tally.withdraw(unserved.operation, due_ns)
        self._heap.clear()

    def _record_until(self, now_ns: int) -> None:
        while self._heap and self._heap[0][0] <= now_ns:
            item = heapq.heappop(self._heap)[2]
            request = self._recorder.request(
                item.operation, item.due_ns, session=item.session, cell=item.cell
            )
            self._recorder.unsent(request, item.outcome, item.reason)
