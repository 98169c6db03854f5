"""The room for requests in flight to one dependency: how large it is now, and who may come in."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from stormbank.clock import Clock
from stormbank.deadline import HOP_MARGIN_MS
from stormbank.flow.adaptive import AdaptiveLimit, AdaptiveRules
from stormbank.flow.fairness import Fairness
from stormbank.flow.highwater import Highwater, Tightest
from stormbank.flow.latency import MinimumLatency
from stormbank.flow.rules import FlowRules
from stormbank.flow.waiting import IDLE_S, Waiting
from stormbank.operations import Operation
from stormbank.problem import Shed

RETRY_AFTER_S = 1
_WAY_BACK_S = 2 * HOP_MARGIN_MS / 1000


class Room:
    """Refuses what is too much for one dependency, and learns from its answers. `enter` and `leave` come in pairs."""

    def __init__(
        self, rules: FlowRules, operations: Iterable[Operation], *, clock: Clock = time.monotonic
    ) -> None:
        self.operations = tuple(operations)
        tiers = rules.tiers
        self._rules = rules
        self._clock = clock
        self._limit = AdaptiveLimit(AdaptiveRules(rules.low, rules.limit, rules.queued), clock=clock)
        self._fairness = Fairness(rules.customer_share, clock=clock)
        self._waiting = Waiting(clock=clock)
        self._highwater = Highwater(rules.limit, clock=clock)
        self._shares: Mapping[str, float] = {
            each.name: 1.0 if self._goes_first(each) else tiers.share(each.tier) for each in self.operations
        }
        self._minimum: dict[str, MinimumLatency] = {}
        self.inflight = 0

    @property
    def limit(self) -> int:
        """The most in flight now, whoever they are."""
        return self._limit.value

    def threshold(self, operation: Operation) -> int:
        """Return how many in flight, of all operations, leave no room for one of `operation`."""
        limit = self._limit.value
        room = int(limit * self._shares[operation.name])
        if operation.money and not operation.confirms:
            room = min(room, int(limit * self._rules.new_money_share))
        return max(1, room)

    def enter(self, operation: Operation, customer: int | None, remaining_s: float) -> None:
        """Let one request in that has `remaining_s` of its time left, or raise Shed saying why."""
        reason = self._reason(operation, customer, remaining_s)
        self._limit.asked(self.inflight, refused=reason == "overload")
        self._fairness.asked(customer)
        if reason is not None:
            raise Shed(reason, retry_after_s=RETRY_AFTER_S, tier=operation.tier)

    def take(self, customer: int | None) -> None:
        """Count one that was let in."""
        self.inflight += 1
        self._highwater.admitted(self.inflight, self._limit.value)
        if customer is not None:
            self._fairness.took(customer)

    def leave(self, customer: int | None) -> None:
        """One that was let in is done."""
        self.inflight -= 1
        if customer is not None:
            self._fairness.gave_back(customer)

    def answered(self, operation: Operation, took_s: float, queue_s: float | None, *, good: bool) -> None:
        """Learn from one answer of the dependency; `queue_s` is what it says that the request waited, if it does."""
        minimum = self._minimum.get(operation.name)
        if minimum is None:
            minimum = self._minimum[operation.name] = MinimumLatency(clock=self._clock)
        if good:
            minimum.observe(max(0.0, took_s - (queue_s or 0.0)))
        if queue_s is None:
            if not good or minimum.value_s is None:
                return
            queue_s = max(0.0, took_s - minimum.value_s)
        self._waiting.observe(queue_s, self.inflight)
        if self._rules.low < self._rules.limit:
            self._limit.answered(took_s, queue_s)

    def waiting_s(self) -> float:
        """Return how long a request let in now is likely to wait."""
        return self._waiting.estimate_s(self.inflight)

    def tightest(self) -> Tightest:
        """Return the tightest admission of the last seconds."""
        return self._highwater.tightest()

    def _goes_first(self, operation: Operation) -> bool:
        return operation.confirms and self._rules.new_money_share < 1.0

    def _reason(self, operation: Operation, customer: int | None, remaining_s: float) -> str | None:
        rules, limit, first = self._rules, self._limit.value, self._goes_first(operation)
        if (
            rules.fair
            and customer is not None
            and not first
            and self._fairness.refuses(customer, self.inflight, limit)
        ):
            return "customer"
        if self.inflight >= self.threshold(operation):
            return "overload"
        waiting_s = self._waiting.estimate_s(self.inflight)
        if waiting_s > IDLE_S:
            if rules.minds_deadline and self._too_late(operation, remaining_s, waiting_s):
                return "deadline"
            target_s = rules.queue_target_s * self._shares[operation.name]
            if rules.minds_queue and not first and self._waiting.refuses(waiting_s, target_s):
                return "queue"
        return None

    def _too_late(self, operation: Operation, remaining_s: float, waiting_s: float) -> bool:
        minimum = self._minimum.get(operation.name)
        working_s = minimum.value_s or 0.0 if minimum else 0.0
        return waiting_s + working_s + _WAY_BACK_S > remaining_s
