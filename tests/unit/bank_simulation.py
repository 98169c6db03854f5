"""Gateways, ledgers with worker slots and impatient phones, as events on a clock of their own: no time passes.

Flow control is the bank's own code; what is simulated is the world around it. Everything follows from the seed.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter, deque
from dataclasses import dataclass, field, replace

from stormbank.deadline import HOP_MARGIN_MS, LONGEST_MS
from stormbank.flow.room import Room
from stormbank.flow.rules import FlowRules
from stormbank.operations import Operation
from stormbank.problem import Shed

HOP_S = 0.001
DEPLOYED = FlowRules(
    limit=48,
    limit_low=6,
    queued=8.0,
    tier_order=("A1", "A2", "B", "C"),
    tier_share={"A1": 1.0, "A2": 0.9, "B": 0.35, "C": 0.25},
    rates_per_s={},
    other_rate_per_s=1e9,
    queue_target_s=0.15,
    customer_share=0.25,
    confirm_share=0.05,
)


@dataclass(frozen=True)
class Demand:
    operation: Operation
    rate_per_s: float
    service_s: float


@dataclass(frozen=True)
class World:
    """Slots of a ledger; a phone gives up after `patience_s`. `stalled_s`: no ledger begins any work then."""

    demands: tuple[Demand, ...]
    rules: FlowRules = DEPLOYED
    gateways: int = 4
    ledgers: int = 4
    slots: int = 3
    patience_s: float = 1.0
    reports: bool = True
    stalled_s: tuple[float, float] = (0.0, 0.0)
    deadlines: bool = True
    seed: int = 1

    @property
    def capacity_per_s(self) -> float:
        """Of this mix."""
        total = sum(each.rate_per_s for each in self.demands)
        mean_s = sum(each.rate_per_s * each.service_s for each in self.demands) / total
        return self.ledgers * self.slots / mean_s

    def offering(self, times: float) -> World:
        """The same mix, at `times` the capacity."""
        total = sum(each.rate_per_s for each in self.demands)
        scale = times * self.capacity_per_s / total
        demands = tuple(replace(each, rate_per_s=each.rate_per_s * scale) for each in self.demands)
        return replace(self, demands=demands)


@dataclass
class Asked:
    demand: Demand
    customer: int
    sent_s: float
    room: Room
    ledger: int = 0
    arrived_s: float = 0.0


@dataclass
class Happened:
    """By tier: how many asked, were answered in their time, were refused; and how long good answers took."""

    asked: Counter[str] = field(default_factory=Counter)
    good: Counter[str] = field(default_factory=Counter)
    shed: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    limits: list[tuple[float, int]] = field(default_factory=list)
    good_at_s: list[float] = field(default_factory=list)
    waited_s: list[float] = field(default_factory=list)

    def goodput_per_s(self, start_s: float, end_s: float) -> float:
        return sum(start_s <= at_s < end_s for at_s in self.good_at_s) / (end_s - start_s)

    def share_good(self, tier: str) -> float:
        return self.good[tier] / self.asked[tier]

    def p99_s(self) -> float:
        return sorted(self.took_s)[int(len(self.took_s) * 0.99)]


class Simulation:
    """`run` is the only entrance: one world, from its beginning to `end_s`; counted from `from_s` on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now_s = 0.0
        self.random = random.Random(world.seed)
        self.events: list[tuple[float, int, object]] = []
        self.number = itertools.count()
        operations = [each.operation for each in world.demands]
        self.rooms = [Room(world.rules, operations, clock=lambda: self.now_s) for _ in range(world.gateways)]
        self.free = [world.slots] * world.ledgers
        self.queues: list[deque[Asked]] = [deque() for _ in range(world.ledgers)]
        self.happened = Happened()
        self.from_s = 0.0

    def at(self, when_s: float, what: object) -> None:
        heapq.heappush(self.events, (when_s, next(self.number), what))

    def run(self, end_s: float, from_s: float = 0.0) -> Happened:
        self.from_s = from_s
        for demand in self.world.demands:
            self.next_of(demand)
        while self.events and self.events[0][0] < end_s:
            self.now_s, _, what = heapq.heappop(self.events)
            what()  # type: ignore[operator]
        return self.happened

    def next_of(self, demand: Demand) -> None:
        def arrives() -> None:
            self.next_of(demand)
            self.asks(
                Asked(demand, self.random.randrange(10_000), self.now_s, self.random.choice(self.rooms))
            )

        self.at(self.now_s + self.random.expovariate(demand.rate_per_s), arrives)

    def counted(self) -> bool:
        return self.now_s >= self.from_s

    def asks(self, asked: Asked) -> None:
        tier = asked.demand.operation.tier
        patience_s = self.world.patience_s if self.world.deadlines else LONGEST_MS / 1000
        self.happened.asked[tier] += self.counted()
        try:
            asked.room.enter(asked.demand.operation, asked.customer, patience_s)
        except Shed as shed:
            self.happened.shed[tier] += self.counted()
            self.happened.shed[shed.fields["reason"]] += self.counted()
            return
        asked.room.take(asked.customer)
        self.happened.limits.append((self.now_s, asked.room.limit))
        asked.ledger = self.random.randrange(self.world.ledgers)

        def reaches_ledger() -> None:
            asked.arrived_s = self.now_s
            self.queues[asked.ledger].append(asked)
            self.begins(asked.ledger)

        self.at(self.now_s + HOP_S, reaches_ledger)

    def begins(self, ledger: int) -> None:
        start_s, end_s = self.world.stalled_s
        if start_s <= self.now_s < end_s:
            self.at(end_s, lambda: self.begins(ledger))
            return
        queue, world = self.queues[ledger], self.world
        while queue and self.free[ledger]:
            asked = queue.popleft()
            waited_s = self.now_s - asked.arrived_s
            latest_s = asked.sent_s + world.patience_s - HOP_MARGIN_MS / 1000 - asked.demand.service_s
            if world.deadlines and self.now_s > latest_s:
                self.answers(asked, waited_s, good=False)
                continue
            self.free[ledger] -= 1
            self.happened.waited_s.append(waited_s)

            def done(asked: Asked = asked, waited_s: float = waited_s) -> None:
                self.free[ledger] += 1
                self.answers(asked, waited_s, good=True)
                self.begins(ledger)

            self.at(self.now_s + asked.demand.service_s, done)

    def answers(self, asked: Asked, waited_s: float, *, good: bool) -> None:
        def reaches_phone() -> None:
            took_s = self.now_s - asked.sent_s
            reported_s = waited_s if self.world.reports else None
            asked.room.answered(asked.demand.operation, took_s, reported_s, good=good)
            asked.room.leave(asked.customer)
            if good and took_s <= self.world.patience_s:
                self.happened.good[asked.demand.operation.tier] += self.counted()
                self.happened.good_at_s.append(self.now_s)
                if self.counted():
                    self.happened.took_s.append(took_s)

        self.at(self.now_s + HOP_S, reaches_phone)
