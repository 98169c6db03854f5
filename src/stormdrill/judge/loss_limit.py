"""How much may be lost: the strictest data-loss target of the writing operations, and what the experiment allows."""

from __future__ import annotations

from dataclasses import dataclass

from stormdrill.judge.checking import Case
from stormdrill.measure.replication import allowed_loss_s


@dataclass(frozen=True)
class LossLimit:
    """How much may be lost: what was acknowledged up to `seconds` before the fault was in place, and how many.

    `seconds` is 0 where none are stated. `movements` is None when the experiment states none; then nothing
    acknowledged after that moment may be lost, and nothing at all where no seconds are stated either.
    """

    seconds: float
    movements: int | None

    @property
    def text(self) -> str:
        """As a check says it."""
        most = f"<= {self.movements or 0} movements"
        if not self.seconds:
            return most
        return f"<= {self.seconds:g} s, " + ("none after t0" if self.movements is None else most)

    def keeps(self, loss_s: float, after_t0: int, count: int) -> bool:
        """Whether `count` lost movements are within it, `after_t0` of them acknowledged after t0."""
        most = self.movements or 0
        if not self.seconds:
            return count <= most
        counted = after_t0 if self.movements is None else count
        return loss_s <= self.seconds and counted <= most


def loss_limit(case: Case) -> LossLimit:
    """The strictest data-loss target of the writing operations, and what the experiment itself allows."""
    return LossLimit(allowed_loss_s(case.plan), case.plan.experiment.objectives.max_lost)
