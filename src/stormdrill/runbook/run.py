"""Going through a runbook: one step after the other, each on record before the next begins."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from stormdrill.errors import ExitCode, InputError, Problem
from stormdrill.history import Event
from stormdrill.runbook.attention import Leave
from stormdrill.runbook.desk import AGAIN, WAIVE, Choice, Desk
from stormdrill.runbook.journal import Journal
from stormdrill.runbook.perform import Performer, StepFailedError
from stormdrill.runbook.values import GO_ON, STOP, Approval, Decision, Manual, Runbook, Step


class Outcome(StrEnum):
    """How a run came to its end. All but `done` can be resumed."""

    DONE = "done"
    FAILED = "failed"
    HELD = "held"
    LEFT = "left"


@dataclass(frozen=True)
class Ending:
    """`step` is where it stands; `waived` whether any step was gone over although it failed."""

    outcome: Outcome
    why: str = ""
    step: Step | None = None
    waived: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """0 done as written, 1 a step failed, 3 done with a step waived, 4 held by decision or left."""
        if self.outcome is Outcome.DONE:
            return ExitCode.INCONCLUSIVE if self.waived else ExitCode.PASS
        return ExitCode.FAIL if self.outcome is Outcome.FAILED else ExitCode.ABORTED


def refuse_unattended(runbook: Runbook, chosen: Mapping[str, str]) -> None:
    """InputError naming every step that a run without people would have to leave out and may not.

    `chosen`: options in place of the defaults of decisions; one that there is not is a problem as well.
    """
    problems = [Problem(str(runbook.path), 0, text) for text in _not_to_choose(runbook, chosen)]
    target = GO_ON
    for step in runbook.steps:
        if target not in (GO_ON, step.id):
            continue
        target = GO_ON
        if isinstance(step.work, Manual) and not step.work.auto:
            why = f"step {step.number} is done by hand; --auto needs 'auto: skip'"
            problems.append(Problem(str(runbook.path), step.line, why))
        if isinstance(step.work, Decision):
            target = step.work.options.get(chosen.get(step.id, step.work.default), GO_ON)
    if problems:
        raise InputError(problems)


def _not_to_choose(runbook: Runbook, chosen: Mapping[str, str]) -> Iterator[str]:
    decisions = {step.id: step.work for step in runbook.steps if isinstance(step.work, Decision)}
    for name, option in chosen.items():
        if name not in decisions:
            yield f"no decision is called '{name}'; there are: {', '.join(decisions)}"
        elif option not in decisions[name].options:
            yield f"'{name}' has no option '{option}'; it has: {', '.join(decisions[name].options)}"


def run(runbook: Runbook, desk: Desk, journal: Journal, performer: Performer) -> Ending:
    """Do every step that is not settled yet, in order.

    A decision may lead past steps (they are skipped), hold, or go on. The first step that fails and is neither
    repeated nor waived ends the run, and so does Leave; what was settled stays settled.
    """
    going = _Going(runbook, desk, journal, performer)
    step: Step | None = None
    try:
        ending = None
        while ending is None and (step := going.next()) is not None:
            ending = going.one(step)
    except Leave as leave:
        journal.write("runbook.left", desk.actor, why=leave.reason, step=step.id if step else None)
        return Ending(Outcome.LEFT, leave.reason, step)
    ending = ending or Ending(Outcome.DONE, waived=going.waived())
    at = ending.step.id if ending.step else None
    journal.write("runbook.end", desk.actor, outcome=str(ending.outcome), why=ending.why, at=at)
    return ending


class _Going:
    def __init__(self, runbook: Runbook, desk: Desk, journal: Journal, performer: Performer) -> None:
        self._steps = runbook.steps
        self._desk = desk
        self._journal = journal
        self._performer = performer

    def waived(self) -> bool:
        return any(event.data.get("result") == "waived" for event in self._journal.state.settled.values())

    def next(self) -> Step | None:
        """The first step without a last word; what decisions lead past is skipped on the way."""
        target: str = GO_ON
        for step in self._steps:
            settled = self._journal.state.settled
            if target not in (GO_ON, step.id):
                if step.id not in settled:
                    self._journal.of_step("step.skipped", step, self._desk.actor, result="skipped", to=target)
                continue
            if step.id not in settled:
                return step
            target = str(settled[step.id].data.get("leads_to", GO_ON))
        return None

    def one(self, step: Step) -> Ending | None:
        """Do one step; an ending when the run cannot go on."""
        cut_off = self._journal.state.under_way == step.id
        while True:
            started = self._journal.of_step("step.start", step, self._desk.actor, kind_of_step=step.kind)
            self._desk.show(step, len(self._steps))
            if isinstance(step.work, Decision | Approval):
                return self._ask(step, step.work, started)
            try:
                result = self._performer.perform(step, partial(self._begun, step), cut_off=cut_off)
            except StepFailedError as error:
                cut_off = False
                if (ending := self._failed(step, error, started)) is not None:
                    return ending
                if step.id in self._journal.state.settled:
                    return None
                continue
            proof: dict[str, Any] = {"proof": result.saw}
            if "write_ns" in result.evidence:
                proof["write_ns"] = result.evidence["write_ns"]
            self._journal.mark(step, "done", self._desk.actor, None, **proof)
            said = {"saw": result.saw, "evidence": result.evidence, "seconds": _since(started)}
            self._journal.of_step("step.done", step, self._desk.actor, result=result.result, **said)
            return None

    def _begun(self, step: Step) -> None:
        self._journal.of_step("step.begun", step, self._desk.actor)
        self._journal.mark(step, "start", self._desk.actor)

    def _ask(self, step: Step, work: Decision | Approval, started: Event) -> Ending | None:
        """A decision or an approval, on record with everybody's name and how long it took."""
        if isinstance(work, Decision):
            choice = self._desk.decide(step, work)
            leads_to, what = work.options[choice.option], "decision"
        else:
            choice = self._desk.approve(step, work.people)
            leads_to, what = choice.option, "approval"
        seconds = _since(started)
        said: dict[str, Any] = {
            "what": step.title, "choice": choice.option, "people": list(choice.people),
            "auto": not choice.exercised, "seconds": seconds if choice.exercised else None,
        }  # fmt: skip
        self._journal.of_step(what, step, choice.people[0], **said)
        if leads_to == STOP:
            return Ending(Outcome.HELD, f"'{choice.option}', by {', '.join(choice.people)}", step)
        result = "decided" if choice.exercised else "not_exercised"
        self._journal.of_step("step.done", step, choice.people[0], result=result, leads_to=leads_to, **said)
        return None

    def _failed(self, step: Step, error: StepFailedError, started: Event) -> Ending | None:
        """None to do it again, or when it is settled because people waived it."""
        why = str(error)
        said = {"why": why, "evidence": error.evidence, "seconds": _since(started)}
        self._journal.of_step("step.failed", step, self._desk.actor, **said)
        answer = self._desk.failed(step, why)
        if answer == WAIVE and step.waiver is not None:
            self._waive(step, self._desk.waive(step, step.waiver.people), why)
            return None
        return None if answer == AGAIN else Ending(Outcome.FAILED, why, step)

    def _waive(self, step: Step, choice: Choice, why: str) -> None:
        said = {"people": list(choice.people), "reason": choice.reason}
        actor = choice.people[0]
        what = f"go on although '{step.title}' failed"
        self._journal.of_step(
            "decision", step, actor, what=what, choice=WAIVE, auto=not choice.exercised, **said
        )
        about = step.waiver.about if step.waiver else {}
        self._journal.mark(step, "done", actor, about, proof="", waived=choice.reason)
        self._journal.of_step("step.done", step, actor, result="waived", why=why, **said)


def _since(event: Event) -> float:
    """Seconds since an event of this process."""
    return round((time.monotonic_ns() - event.mono_ns) / 1e9, 3)
