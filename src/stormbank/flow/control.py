"""Flow control of one gateway: a room for each dependency, a bucket for each operation, and deadlines before both."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Protocol

from stormbank.clock import Clock
from stormbank.deadline import LONGEST_MS, Deadline
from stormbank.flow.bucket import TokenBucket
from stormbank.flow.highwater import Tightest
from stormbank.flow.room import Room
from stormbank.flow.rules import FlowRules
from stormbank.flow.switches import BUCKET, BULKHEAD
from stormbank.operations import Operation
from stormbank.problem import Expired, Shed

SHARED = "all"
"""The name of the only room when nothing keeps dependencies apart."""

Observe = Callable[[Operation, float, float | None, bool], None]


class Counts(Protocol):
    """Whoever counts what was decided."""

    def admitted(self, operation: Operation, dependency: str) -> None:
        """Count one request let in."""

    def shed(self, operation: Operation, dependency: str, reason: str) -> None:
        """Count one request given up."""


class Admitted:
    """One request's place: taken on entering the `with`, given back on leaving it."""

    __slots__ = ("_customer", "_room")

    def __init__(self, room: Room, customer: int | None) -> None:
        self._room = room
        self._customer = customer

    def __enter__(self) -> None:
        self._room.take(self._customer)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._room.leave(self._customer)


class FlowControl:
    """Decides about each request before any work is done for it. `serves` names the operations of each dependency."""

    def __init__(
        self,
        rules: FlowRules,
        serves: Mapping[str, tuple[Operation, ...]],
        counts: Counts,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self._rules = rules
        self._counts = counts
        if BULKHEAD in rules.off:
            together = {each.name: each for some in serves.values() for each in some}
            shared = Room(rules, together.values(), clock=clock)
            self.rooms = {SHARED: shared}
            self._room_of = dict.fromkeys(serves, shared)
        else:
            self.rooms = {name: Room(rules, some, clock=clock) for name, some in serves.items()}
            self._room_of = self.rooms
        self._buckets = dict(_buckets(rules, serves, clock))

    def deadline(self, header: str | None) -> Deadline:
        """Start the clock of one request; Expired when its time is over before it began."""
        deadline = Deadline.from_header(header)
        if not self._rules.minds_deadline:
            return Deadline.after_ms(LONGEST_MS)
        if deadline.remaining_s() <= 0.0:
            raise Expired
        return deadline

    def admit(
        self, operation: Operation, dependency: str, customer: int | None, deadline: Deadline
    ) -> Admitted:
        """Return a place to enter at once, or raise Shed saying why and when to come back."""
        room = self._room_of[dependency]
        try:
            room.enter(operation, customer, deadline.remaining_s())
            # Only now: a request given up for want of room costs its operation no token.
            self._within_rate(operation)
        except Shed as shed:
            self._counts.shed(operation, dependency, shed.fields["reason"])
            raise
        self._counts.admitted(operation, dependency)
        return Admitted(room, customer)

    def observer(self, dependency: str) -> Observe:
        """Return whom to tell of each answer of a dependency: operation, seconds it took and waited, whether good."""
        room = self._room_of[dependency]

        def observe(operation: Operation, took_s: float, queue_s: float | None, good: bool) -> None:
            room.answered(operation, took_s, queue_s, good=good)

        return observe

    def tightest(self) -> Tightest:
        """Return the tightest admission of the last seconds to any room."""
        return max(room.tightest() for room in self.rooms.values())

    def inflight(self) -> int:
        """Return how many requests are in flight, in all rooms."""
        return sum(room.inflight for room in self.rooms.values())

    def _within_rate(self, operation: Operation) -> None:
        bucket = self._buckets.get(operation.name)
        wait_s = 0.0 if bucket is None else bucket.take()
        if wait_s > 0.0:
            raise Shed("rate", retry_after_s=max(1, math.ceil(wait_s)), tier=operation.tier)


def _buckets(
    rules: FlowRules, serves: Mapping[str, tuple[Operation, ...]], clock: Clock
) -> Iterator[tuple[str, TokenBucket]]:
    if BUCKET in rules.off:
        return
    for each in {operation for some in serves.values() for operation in some}:
        rate_per_s = rules.rates_per_s.get(each.name, rules.other_rate_per_s)
        yield each.name, TokenBucket(rate_per_s, clock=clock)
