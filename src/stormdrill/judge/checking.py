"""How checks are put: the case under judgement, and one constructor that fills what all checks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stormdrill.estate import OperationKind
from stormdrill.measure.values import Measurements, Share
from stormdrill.plan import Plan
from stormdrill.targets import Target
from stormdrill.verdict import Check, Measured, Outcome

# What every number from the phones' records rests on.
CLIENT = (
    "records_intact",
    "fault_proven",
    "generator_on_time",
    "machine_not_starved",
    "load_ran_to_end",
    "method_ran",
    "steady_healthy",
    "clock_steady",
)
REQUESTS = ("requests/load-0.rec", "requests/generator.jsonl", "history.jsonl")

Said = tuple[bool | None, str, float | None, str]
"""Of a rule: holds (None: not exercised), the sentence, the number and its unit."""


@dataclass(frozen=True)
class Case:
    """One run to judge: what was planned and what was measured."""

    plan: Plan
    measured: Measurements

    @property
    def targets(self) -> Mapping[str, Target]:
        """What each operation is graded on."""
        return self.plan.targets

    @property
    def letters(self) -> tuple[str, ...]:
        """Tier letters of the operations, most important first."""
        return tuple(sorted({operation.tier[:1] for operation in self.plan.topology.operations.values()}))

    def tier_limit(self, letter: str, name: str, *, largest: bool = False) -> tuple[float, str] | None:
        """The strictest target called `name` among the operations of a tier letter, with its basis.

        Strictest is the smallest, or the largest when `largest` (success ratios).
        """
        found = [
            (value, target.basis.get(name, ""))
            for target in self.targets.values()
            if target.tier[:1] == letter and (value := getattr(target, name)) is not None
        ]
        return (max if largest else min)(found, default=None)

    def share(self, subject: str, phase: str | None = None) -> Share | None:
        """A subject's counts in a phase, or after the fault without one."""
        shares = self.measured.hurt if phase is None else self.measured.shares
        return next((s for s in shares if s.subject == subject and phase in (None, s.phase)), None)

    def phase_s(self, name: str) -> tuple[float, float] | None:
        """Start and end of a phase in seconds from t0; None when there was none, or no fault."""
        faults = self.measured.faults
        found = next((one for one in self.measured.phases if one.name == name), None)
        if found is None or not faults:
            return None
        zero_s = faults[0].at_s - faults[0].t0_s
        return found.start_s - zero_s, found.end_s - zero_s

    @property
    def load_is_the_test(self) -> bool:
        """Whether the method only waits: what it tests, from its start to its end, is the load itself."""
        return not self.measured.faults and all(
            activity.function == "wait" for activity in self.plan.experiment.method
        )

    @property
    def written(self) -> bool:
        """Whether any operation of the plan's load changes the books."""
        operations = self.plan.topology.operations
        return any(operation.kind is OperationKind.WRITE for operation in operations.values())


def gravest(checks: Sequence[Check]) -> Check | None:
    """The first of the checks with the worst outcome; None of none."""
    order = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS, Outcome.NOT_EXERCISED)
    return min(checks, key=lambda one: order.index(one.verdict), default=None)


def seconds(value: float) -> str:
    """Seconds as a check says them."""
    return f"{value:.1f} s" if value >= 0.05 or value == 0 else f"{value * 1000:.0f} ms"


def percent(ratio: float) -> str:
    """A ratio as a check says it, with the digits that matter for small ones."""
    digits = 3 if 0.99 < ratio < 1 or ratio < 0.01 else 2
    return f"{ratio * 100:.{digits}f}".rstrip("0").rstrip(".") + " %"


def check(
    name: str,
    kind: str,
    outcome: Outcome,
    why: str,
    *,
    value: float | str | None = None,
    unit: str = "",
    error: float | None = None,
    limit: str = "",
    window: str = "",
    evidence: tuple[str, ...] = (),
    depends_on: tuple[str, ...] = (),
    details: Mapping[str, Any] | None = None,
) -> Check:
    """A check with its one human sentence."""
    return Check(
        id=name,
        kind=kind,
        verdict=outcome,
        measured=Measured(value, unit, error),
        limit=limit,
        window=window,
        why=why,
        evidence=evidence,
        depends_on=depends_on,
        details=dict(details or {}),
    )
