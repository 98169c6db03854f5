"""One step, once: ask, look, do, prove. What comes back is its result; what it should not be is a StepFailed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from stormdrill import wait
from stormdrill.errors import DeadlineError, InputError, StormdrillError
from stormdrill.runbook.attention import Attention
from stormdrill.runbook.calls import Call, Finding, Witnessed
from stormdrill.runbook.calls.command import Command
from stormdrill.runbook.calls.site import Site
from stormdrill.runbook.desk import DONE, Desk
from stormdrill.runbook.surroundings import Surroundings
from stormdrill.runbook.values import Action, Check, Expectation, Manual, Step
from stormdrill.units import format_duration

_POLL_S = 0.5


class StepFailedError(StormdrillError):
    """The step is not as it should be; `evidence` is what was seen."""

    def __init__(self, why: str, evidence: dict[str, Any] | None = None) -> None:
        self.evidence = evidence or {}
        super().__init__(why)


@dataclass(frozen=True)
class Result:
    """done, already, ok (a check) or not_exercised; with what was seen."""

    result: str
    saw: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


class Performer:
    """Does manual steps, checks and actions. `cut_off`: the step had begun when an earlier run was cut off."""

    def __init__(self, desk: Desk, around: Surroundings, attention: Attention) -> None:
        self._desk = desk
        self._around = around
        self._attention = attention

    def perform(self, step: Step, begun: Callable[[], None], *, cut_off: bool) -> Result:
        """StepFailedError when it is not as it should be; Leave when somebody wants to leave.

        `begun` is called when an action has been agreed to and is about to be done.
        """
        if isinstance(step.work, Manual):
            return self._manual(step, step.work, cut_off=cut_off)
        if isinstance(step.work, Check):
            return self._look(step.work.expectation, "ok")
        if isinstance(step.work, Action):
            return self._act(step, step.work, begun, cut_off=cut_off)
        raise TypeError(step.kind)

    def _manual(self, step: Step, work: Manual, *, cut_off: bool) -> Result:
        if not self._desk.attended:
            return Result("not_exercised", "left out: nobody is here to do it by hand")
        if not (cut_off and self._desk.cut_off(step) == DONE):
            self._desk.by_hand(step)
        return self._look(work.proof, "done")

    def _act(self, step: Step, work: Action, begun: Callable[[], None], *, cut_off: bool) -> Result:
        if work.already is not None:
            found = self._settle(work.already)
            if found.holds:
                self._desk.say(f"  already so: {found.saw}")
                if cut_off and isinstance(work.call, Witnessed):
                    work.call.tell_late(self._around)
                return self._look(work.proof, "already", found)
            self._desk.say(f"  not so yet: {found.saw}")
        if cut_off and self._desk.cut_off(step) == DONE:
            return self._look(work.proof, "done")
        self._desk.confirm(step, work.call.text)
        begun()
        found = self._once(work.call)
        if isinstance(work.call, Command):
            self._show_output(found)
        if not found.holds:
            raise StepFailedError(found.saw, dict(found.evidence))
        self._desk.say(f"  did it: {found.saw}")
        return self._look(work.proof, "done", found)

    def _look(self, expectation: Expectation | None, result: str, found: Finding | None = None) -> Result:
        """The result once the expectation holds; `found` is what was seen before, when there is none."""
        if expectation is None:
            return Result(result, found.saw if found else "", dict(found.evidence) if found else {})
        limit = f", for up to {format_duration(expectation.within_s)}" if expectation.within_s else ""
        self._desk.say(f"  looking{limit}: {expectation.call.text}")
        seen = self._settle(expectation)
        if not seen.holds:
            raise StepFailedError(f"{expectation.call.text}: {seen.saw}", dict(seen.evidence))
        self._desk.say(f"  seen: {seen.saw}")
        return Result(result, seen.saw, dict(seen.evidence))

    def _settle(self, expectation: Expectation) -> Finding:
        """Poll until it has held long enough, or the time is over: then what was seen last, as not holding."""
        last = Finding(False, "not asked")
        since_s: float | None = None

        def attempt() -> Finding | None:
            nonlocal last, since_s
            last = self._once(expectation.call)
            now_s = time.monotonic()
            since_s = None if not last.holds else now_s if since_s is None else since_s
            return last if since_s is not None and now_s - since_s >= expectation.for_s else None

        try:
            with self._attention.open():
                return wait.until(attempt, deadline_s=expectation.within_s, what="", poll_s=_POLL_S)
        except DeadlineError:
            short = f"{last.saw}, but not for {expectation.for_s:g} s on end" if last.holds else last.saw
            return Finding(False, short, last.evidence)

    def _once(self, call: Call) -> Finding:
        try:
            # What moves a database comes to an end of its own: half way between two sites nobody could write.
            with nullcontext() if isinstance(call, Site) and call.changes else self._attention.open():
                return call.run(self._around)
        except InputError as error:
            raise StepFailedError(str(error)) from None
        except StormdrillError as error:
            return Finding(False, str(error))

    def _show_output(self, found: Finding) -> None:
        for line in str(found.evidence.get("output", "")).splitlines()[-20:]:
            self._desk.say(f"    | {line}")
