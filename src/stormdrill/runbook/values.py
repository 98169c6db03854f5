"""What a runbook is once it has been read: frozen steps of five kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stormdrill.runbook.calls import Call

GO_ON, STOP, END = "continue", "stop", "end"


@dataclass(frozen=True)
class Expectation:
    """`call` must come to hold within `within_s` seconds, and then hold for `for_s` without a break."""

    call: Call
    within_s: float
    for_s: float = 0.0


@dataclass(frozen=True)
class Manual:
    """Somebody does it by hand. `auto`: whether `--auto` may leave it out (it is then not exercised)."""

    proof: Expectation | None
    auto: bool


@dataclass(frozen=True)
class Check:
    """The harness looks; nothing changes."""

    expectation: Expectation


@dataclass(frozen=True)
class Action:
    """The harness does it, unless `already` holds; it is done when `proof` holds.

    Without `already` it must be `repeatable`: it may be done again after it was cut off half way.
    """

    call: Call
    already: Expectation | None
    repeatable: bool
    proof: Expectation | None


@dataclass(frozen=True)
class Decision:
    """`people` choose one of `options`, each of which goes on, stops, ends the run as done, or goes to a later step."""

    options: Mapping[str, str]
    default: str
    people: int


@dataclass(frozen=True)
class Approval:
    """`people` say yes, or the run holds."""

    people: int


Work = Manual | Check | Action | Decision | Approval


@dataclass(frozen=True)
class Waiver:
    """So many people may decide to go on although the step failed; `about` then replaces what its marks say.

    `auto`: what is decided when nobody is there, to go on (the run is then inconclusive at best) or not.
    """

    people: int
    auto: bool
    about: Mapping[str, str]


@dataclass(frozen=True)
class Step:
    """One numbered heading. `marks` are events of the drill that its start and its end stand for."""

    id: str
    number: int
    title: str
    prose: str
    line: int
    work: Work
    waiver: Waiver | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """manual, check, action, decision or approval."""
        return type(self.work).__name__.lower()

    @property
    def calls(self) -> tuple[Call, ...]:
        """All that the step asks or does."""
        work = self.work
        acts = (work.call,) if isinstance(work, Action) else ()
        looks = [getattr(work, name, None) for name in ("expectation", "already", "proof")]
        return (*acts, *(look.call for look in looks if isinstance(look, Expectation)))


@dataclass(frozen=True)
class Runbook:
    """A whole file. `base` is the directory that file names in it are relative to."""

    path: Path
    base: Path
    sha256: str
    name: str
    title: str
    topology: Path | None
    steps: tuple[Step, ...]
