"""The exception tree, and the exit code that each kind of ending maps to.

StormdrillError
├── InputError          bad content, flags or environment; nothing was touched (exit 2)
├── TargetError         the estate did not answer or answered with an error
│   └── DeadlineError   a condition did not come true in time
├── ActionError         a fault could not be applied or not be proven
├── UnjudgedError       a drill hurt something and then could not be judged (exit 3)
├── RevertError         a fault could not be reverted (exit 5)
└── Aborted             the run was ended by a person, a signal or the guard (exit 4)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What the process tells its caller; the meanings are fixed by the documentation."""

    PASS = 0
    FAIL = 1
    BAD_INPUT = 2
    INCONCLUSIVE = 3
    ABORTED = 4
    NOT_REVERTED = 5


class StormdrillError(Exception):
    """Root of everything this package raises on purpose."""

    exit_code = ExitCode.BAD_INPUT


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in one place. `line` is 1-based; 0 means the whole file or no file."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        """`file:line: message`, as editors and people read it."""
        if not self.file:
            return self.message
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class InputError(StormdrillError):
    """Everything wrong with what the user gave, all at once."""

    def __init__(self, problems: list[Problem] | str) -> None:
        self.problems = [Problem("", 0, problems)] if isinstance(problems, str) else sorted(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @classmethod
    def at(cls, file: Path | str, line: int, message: str) -> InputError:
        """One problem in one place."""
        return cls([Problem(str(file), line, message)])


class TargetError(StormdrillError):
    """The estate (API server, Prometheus, director, database) failed us."""


class DeadlineError(TargetError):
    """A condition was waited for and did not come true in time."""


class ActionError(StormdrillError):
    """A fault could not be applied, or its proof failed."""


class UnjudgedError(StormdrillError):
    """Faults were applied, and no verdict came of it; what was recorded is in the run directory."""

    exit_code = ExitCode.INCONCLUSIVE


class RevertError(StormdrillError):
    """A fault is still there after every attempt to revert it."""

    exit_code = ExitCode.NOT_REVERTED


class Aborted(StormdrillError):  # noqa: N818 - an ending, not an error
    """The run was ended early; `reason` is the first one given."""

    exit_code = ExitCode.ABORTED

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
