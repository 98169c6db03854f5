"""How one drill ended, for the final table, `--json`, and the exit code of several drills together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stormdrill import store
from stormdrill.errors import Aborted, ExitCode, InputError, UnjudgedError
from stormdrill.store import Run
from stormdrill.verdict import Check, Outcome, Verdict

# What several drills come to: the gravest of theirs, in this order.
_GRAVEST = (
    ExitCode.NOT_REVERTED,
    ExitCode.FAIL,
    ExitCode.ABORTED,
    ExitCode.BAD_INPUT,
    ExitCode.INCONCLUSIVE,
    ExitCode.PASS,
)


@dataclass(frozen=True)
class Ending:
    """One line of the table. `recovery` and `lost` are texts; `why` explains what is not a pass."""

    experiment: str
    verdict: str
    exit_code: ExitCode
    recovery: str = "-"
    lost: str = "-"
    report: str = "-"
    run: str = ""
    seconds: float = 0.0
    why: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {**self.__dict__, "exit_code": int(self.exit_code), "why": list(self.why)}


def of_verdict(run: Run, verdict: Verdict, seconds: float) -> Ending:
    """The line of a judged run."""
    name = f"{verdict.verdict}, aborted" if verdict.aborted else str(verdict.verdict)
    return Ending(
        experiment=verdict.experiment,
        verdict=name,
        exit_code=verdict.exit_code,
        recovery=_recovery(verdict),
        lost=_lost(verdict),
        report=str(run.path / "report.html"),
        run=str(run.path),
        seconds=round(seconds, 1),
        why=tuple(_why(verdict)),
    )


def of_error(experiment: str, verdict: str, code: ExitCode, why: str) -> Ending:
    """The line of a drill that did not come to a verdict."""
    return Ending(experiment=experiment, verdict=verdict, exit_code=code, why=tuple(why.splitlines()))


def of_failure(experiment: str, error: Exception, *, cut: bool) -> Ending:
    """The line of a drill that `error` ended; `cut`: it had been ended early, and by nobody's abort."""
    verdict, code = "not run", getattr(error, "exit_code", ExitCode.BAD_INPUT)
    if isinstance(error, InputError):
        verdict = "bad input"
    elif isinstance(error, UnjudgedError):
        verdict = "no verdict"
    elif isinstance(error, Aborted):
        verdict, code = ("not run", ExitCode.INCONCLUSIVE) if cut else ("aborted", ExitCode.ABORTED)
    return of_error(experiment, verdict, code, str(error))


def together(endings: Iterable[Ending]) -> ExitCode:
    """The exit code of several drills: the gravest of theirs; nothing run is inconclusive."""
    codes = {ending.exit_code for ending in endings}
    return next((code for code in _GRAVEST if code in codes), ExitCode.INCONCLUSIVE)


def stored(path: Path) -> Verdict:
    """The verdict of a run directory. InputError when it has none."""
    run = store.open_run(path)
    try:
        return Verdict.from_json(store.read_json(run.verdict))
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{run.verdict}: {error}") from None


def _recovery(verdict: Verdict) -> str:
    """The longest recovery time of the most important tier that was judged, as on the report's first screen.

    With its resolution; one that was not seen outranks all.
    """
    judged = [check for check in verdict.checks if check.kind == "recovery_time"]
    most = min((_tier(check) for check in judged), default="")
    found = [check.measured for check in judged if _tier(check) == most]
    unseen = [measured for measured in found if isinstance(measured.value, str)]
    if unseen:
        return f"{unseen[0].value} {unseen[0].unit}"
    seen = [(float(m.value), m) for m in found if isinstance(m.value, int | float)]
    if not seen:
        return "-"
    value, worst = max(seen, key=lambda pair: pair[0])
    error = f" ± {worst.error:g}" if worst.error else ""
    return f"{value:.1f}{error} {worst.unit}"


def _tier(check: Check) -> str:
    return str(check.details.get("tier", ""))[:1]


def _lost(verdict: Verdict) -> str:
    """Lost money movements, when data loss was judged."""
    values = [check.measured.value for check in verdict.checks if check.id == "lost"]
    return str(values[0]) if values and values[0] is not None else "-"


def _why(verdict: Verdict) -> list[str]:
    lines = [f"aborted: {verdict.aborted_why}"] if verdict.aborted else []
    lines += [
        f"{check.id}: {check.verdict}: {check.why}"
        for check in (*verdict.checks, *verdict.validity)
        if check.verdict in (Outcome.FAIL, Outcome.INCONCLUSIVE)
    ]
    return lines
