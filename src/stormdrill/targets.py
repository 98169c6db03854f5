"""The effective objective of one operation: what the experiment says, else the continuity file's figure."""

from __future__ import annotations

from dataclasses import dataclass

from stormdrill.continuity import NOTHING, Continuity, Figure, by_tier
from stormdrill.estate import Operation
from stormdrill.scenario import Experiment


@dataclass(frozen=True)
class Target:
    """What one operation is graded on; None is not stated. Ratios from 0 to 1, times in seconds.

    `basis` says for each stated name where the number comes from. Ceilings are regulatory: breaking one is a
    compliance failure whatever the target says.
    """

    operation: str
    tier: str
    recovery_time_s: float | None
    data_loss_s: float | None
    hurt: float | None
    success: float | None
    ceiling_recovery_time_s: float | None
    ceiling_data_loss_s: float | None
    basis: dict[str, str]


def target_of(experiment: Experiment, continuity: Continuity, operation: Operation) -> Target:
    """The target of `operation` under the experiment's fault class."""
    tier = operation.tier
    objective = continuity.objective(experiment.fault_class, tier) or NOTHING
    ceiling = continuity.ceiling(tier) or NOTHING
    own = experiment.objectives
    basis: dict[str, str] = {}

    def pick(name: str, override: float | None, figure: Figure | None) -> float | None:
        if override is not None:
            basis[name] = f"experiment {experiment.name}"
            return override
        if figure is not None:
            basis[name] = f"[{figure.basis}] {figure.source}".strip()
            return figure.value
        return None

    return Target(
        operation=operation.name,
        tier=tier,
        recovery_time_s=pick("recovery_time", by_tier(own.recovery_time_s, tier), objective.recovery_time),
        data_loss_s=pick("data_loss", by_tier(own.data_loss_s, tier), objective.data_loss),
        hurt=pick("hurt", by_tier(own.hurt, tier), objective.hurt),
        success=pick("success", by_tier(own.success, tier), None),
        ceiling_recovery_time_s=pick("ceiling_recovery_time", None, ceiling.recovery_time),
        ceiling_data_loss_s=pick("ceiling_data_loss", None, ceiling.data_loss),
        basis=basis,
    )
