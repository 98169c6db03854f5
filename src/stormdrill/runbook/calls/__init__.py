"""What steps can ask and do. To add one: a file here with a frozen value that is a `Call`, and a line in `registry`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from stormdrill.runbook.surroundings import Surroundings


@dataclass(frozen=True)
class Finding:
    """What a call came to: whether it is as the step says, what was seen in a few words, and details."""

    holds: bool
    saw: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Call(Protocol):
    """One question or one act, complete with its arguments."""

    @property
    def text(self) -> str:
        """What it does and what it wants to see, in one line; no secrets."""

    @property
    def changes(self) -> bool:
        """Whether it may change something."""

    def run(self, around: Surroundings) -> Finding:
        """Do it once, in bounded time.

        An estate that does not answer, or not as wanted, is a Finding that does not hold. InputError when it
        can never be done as it is written; TargetError counts as not holding.
        """


@runtime_checkable
class Witnessed(Protocol):
    """A call whose act tells the history when it has come about."""

    def tell_late(self, around: Surroundings) -> None:
        """Tell it of an act that is seen to be done, and whose maker did not live to tell."""
