"""Who is asked: the protocol between a run and the people at it, and the desk where nobody sits (`--auto`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from stormdrill.runbook.values import Action, Decision, Step

AGAIN, DONE, WAIVE, LEAVE = "again", "done", "waive", "stop"


@dataclass(frozen=True)
class Choice:
    """What `people` chose. `exercised` false: nobody was asked, and how long people take is not known."""

    option: str
    people: tuple[str, ...]
    exercised: bool = True
    reason: str = ""


class Desk(Protocol):
    """Answers for one run. What asks may raise Leave."""

    @property
    def actor(self) -> str:
        """Who acts, for the record."""

    @property
    def attended(self) -> bool:
        """Whether people sit here."""

    def say(self, text: str) -> None:
        """Tell."""

    def show(self, step: Step, total: int) -> None:
        """A step begins."""

    def by_hand(self, step: Step) -> None:
        """Return when the step has been done by hand."""

    def confirm(self, step: Step, text: str) -> None:
        """Return when `text` may be done."""

    def cut_off(self, step: Step) -> str:
        """The step was begun when the run was cut off: DONE or AGAIN."""

    def decide(self, step: Step, decision: Decision) -> Choice:
        """One of the options."""

    def approve(self, step: Step, people: int) -> Choice:
        """`continue` or `stop`."""

    def failed(self, step: Step, why: str) -> str:
        """AGAIN, WAIVE (only where the step allows it) or LEAVE."""

    def waive(self, step: Step, people: int) -> Choice:
        """Who goes on although the step failed, and why."""


class NoDesk:
    """Nobody: declared defaults are taken, and what was cut off is checked or repeated.

    `chosen` has the options, by step, that whoever started the run wants in place of defaults.
    """

    actor = "auto"
    attended = False

    def __init__(self, say: Callable[[str], None], chosen: Mapping[str, str] | None = None) -> None:
        self.say = say
        self._chosen = chosen or {}

    def show(self, step: Step, total: int) -> None:
        """One line a step."""
        self.say(f"{step.number:>3}/{total}  {step.kind:<9} {step.title}")

    def by_hand(self, step: Step) -> None:
        """Never asked: such steps are left out, or the run is refused."""
        raise NotImplementedError(step.id)

    def confirm(self, step: Step, text: str) -> None:
        """The file said it."""

    def cut_off(self, step: Step) -> str:
        """A repeatable action is repeated, and so is one that `already` says is not done."""
        assert isinstance(step.work, Action)  # noqa: S101 - nothing else is asked about when nobody is there
        return AGAIN

    def decide(self, step: Step, decision: Decision) -> Choice:
        """What was chosen at the start, or the default."""
        return Choice(self._chosen.get(step.id, decision.default), (self.actor,), exercised=False)

    def approve(self, step: Step, people: int) -> Choice:  # noqa: ARG002 - nobody is there
        """Taken as given, and said to be so."""
        return Choice("continue", (self.actor,), exercised=False)

    def failed(self, step: Step, why: str) -> str:
        """The end, unless the file has it waived by default."""
        self.say(f"  NOT AS IT SHOULD BE: {why}")
        return WAIVE if step.waiver is not None and step.waiver.auto else LEAVE

    def waive(self, step: Step, people: int) -> Choice:  # noqa: ARG002 - nobody is there
        """The file's word, and said to be so."""
        return Choice(WAIVE, (self.actor,), exercised=False, reason="the runbook's default")
