"""What flow control is told: one value, read from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stormbank.flow.switches import ADAPTIVE, CONFIRM_FIRST, DEADLINE, FAIRNESS, ORDER, QUEUE
from stormbank.flow.tiers import Tiers


@dataclass(frozen=True)
class FlowRules:
    """`off` names mechanisms that are switched off (`switches`). Rates per second, by operation; times in seconds.

    `limit` is the most in flight in one room, `limit_low` the least that the adaptive limit falls to, `queued` how many
    of those in flight shall wait where they go. `customer_share` and `confirm_share` are parts of the limit: what one
    customer may hold of it, and what new money may not.
    """

    limit: int
    limit_low: int
    queued: float
    tier_order: tuple[str, ...]
    tier_share: Mapping[str, float]
    rates_per_s: Mapping[str, float]
    other_rate_per_s: float
    queue_target_s: float
    customer_share: float
    confirm_share: float
    off: frozenset[str] = field(default_factory=frozenset)

    def on(self, mechanism: str) -> bool:
        """Whether a mechanism is in force."""
        return mechanism not in self.off

    @property
    def tiers(self) -> Tiers:
        """The order of giving up, as far as it is in force."""
        return Tiers(self.tier_order, self.tier_share) if self.on(ORDER) else Tiers.all_alike()

    @property
    def low(self) -> int:
        """The least that the limit may be."""
        return min(self.limit_low, self.limit) if self.on(ADAPTIVE) else self.limit

    @property
    def new_money_share(self) -> float:
        """What part of the limit money may fill that does not ask after a movement it knows."""
        return 1.0 - self.confirm_share if self.on(CONFIRM_FIRST) else 1.0

    @property
    def fair(self) -> bool:
        """Whether customers are told apart."""
        return self.on(FAIRNESS)

    @property
    def minds_queue(self) -> bool:
        """Whether waiting above the target is a reason to refuse."""
        return self.on(QUEUE)

    @property
    def minds_deadline(self) -> bool:
        """Whether what cannot be answered in its time is refused."""
        return self.on(DEADLINE)
