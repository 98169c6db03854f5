"""Checks, validity rules and the verdict they compose to (`stormdrill.verdict/1`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from stormdrill.errors import ExitCode

SCHEMA = "stormdrill.verdict/1"


class Outcome(StrEnum):
    """What one check, or a whole run, came to."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_EXERCISED = "not_exercised"


@dataclass(frozen=True)
class Measured:
    """A number with its unit and its error (same unit; None when the error is not known)."""

    value: float | int | str | bool | None
    unit: str = ""
    error: float | None = None


@dataclass(frozen=True)
class Check:
    """One objective or validity rule, held against what was measured.

    `limit` is the text of the objective (`<= 45 s`); `window` names the phases or seconds judged; `evidence`
    lists files of the run directory; `depends_on` lists ids of validity rules.
    """

    id: str
    kind: str
    verdict: Outcome
    measured: Measured
    limit: str
    window: str
    why: str
    evidence: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """The judged run. `notes` hold settings a reader must know (lab preset times and the like)."""

    run: str
    experiment: str
    verdict: Outcome
    aborted: bool
    checks: tuple[Check, ...]
    validity: tuple[Check, ...]
    aborted_why: str = ""
    not_reverted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """Not reverted and aborted outrank the verdict; proven harm outranks doubt."""
        if self.not_reverted:
            return ExitCode.NOT_REVERTED
        if self.aborted:
            return ExitCode.ABORTED
        return {Outcome.PASS: ExitCode.PASS, Outcome.FAIL: ExitCode.FAIL}.get(
            self.verdict, ExitCode.INCONCLUSIVE
        )

    def to_json(self) -> dict[str, Any]:
        """The stored form: plain values, keys as documented."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Verdict:
        """Read `to_json` back; KeyError or ValueError on anything else."""
        if raw["schema"] != SCHEMA:
            raise ValueError(f"not a {SCHEMA}: {raw['schema']!r}")
        return cls(
            run=raw["run"],
            experiment=raw["experiment"],
            verdict=Outcome(raw["verdict"]),
            aborted=raw["aborted"],
            checks=tuple(_check(item) for item in raw["checks"]),
            validity=tuple(_check(item) for item in raw["validity"]),
            aborted_why=raw["aborted_why"],
            not_reverted=tuple(raw["not_reverted"]),
            notes=tuple(raw["notes"]),
        )


def _check(raw: dict[str, Any]) -> Check:
    return Check(
        **{
            **raw,
            "verdict": Outcome(raw["verdict"]),
            "measured": Measured(**raw["measured"]),
            "evidence": tuple(raw["evidence"]),
            "depends_on": tuple(raw["depends_on"]),
        }
    )


def lower(check: Check, broken: Iterable[str]) -> Check:
    """A pass that rests on a broken validity rule is inconclusive; proven harm stays fail."""
    reasons = sorted(set(check.depends_on) & set(broken))
    if check.verdict is not Outcome.PASS or not reasons:
        return check
    why = f"{check.why}; not trusted: {', '.join(reasons)}"
    return Check(**{**_fields(check), "verdict": Outcome.INCONCLUSIVE, "why": why})


def compose(checks: Iterable[Check]) -> Outcome:
    """Worst first: fail, inconclusive, pass. Nothing exercised is inconclusive, never a pass."""
    outcomes = {check.verdict for check in checks}
    for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS):
        if outcome in outcomes:
            return outcome
    return Outcome.INCONCLUSIVE


def _fields(check: Check) -> dict[str, Any]:
    return {name: getattr(check, name) for name in check.__dataclass_fields__}
