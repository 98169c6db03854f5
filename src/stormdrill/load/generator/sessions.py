"""Customers: sessions that arrive by the clock, each a phone that walks through its planned steps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain
from random import Random

from stormdrill.load.generator.caller import Caller, Retries
from stormdrill.load.generator.later import Later, Unserved
from stormdrill.load.generator.moment import PhaseEnd
from stormdrill.load.generator.opener import Opener
from stormdrill.load.generator.phone import Phone
from stormdrill.load.generator.phones import Phones
from stormdrill.load.generator.running import Running
from stormdrill.load.generator.visits import Visit
from stormdrill.records.layout import Outcome, Reason


class Sessions:
    """The stream of sessions, from those in progress at the start to the end of the load."""

    def __init__(self, planned: Iterator[Visit], phones: Phones) -> None:
        self._planned = planned
        self._phones = phones
        self._begun: list[tuple[Visit, Phone | None]] = []

    def prepare(self, opener: Opener) -> None:
        """Log in the phones of the sessions that are in progress when the clock starts."""
        for visit in self._planned:
            if visit.came_s >= 0:
                self._planned = chain([visit], self._planned)
                break
            if visit.steps:
                self._begun.append((visit, self._phones.take(visit.cell)))
        opener.open_all([phone for _, phone in self._begun if phone is not None])

    def run(self, running: Running, caller: Caller, later: Later, opening: int) -> None:
        """Let sessions arrive until the load ends; `opening` is the operation that must succeed first."""
        walk = _Walk(running, caller, later, self._phones, opening)
        for visit, phone in self._begun:
            walk.begin(visit, phone)
        self._begun.clear()
        for visit in self._planned:
            if not running.until(running.due_ns(visit.came_s)):
                return
            walk.begin(visit, self._phones.take(visit.cell))


class _Walk:
    """Begins sessions; each runs in a greenlet of its own."""

    def __init__(self, running: Running, caller: Caller, later: Later, phones: Phones, opening: int) -> None:
        self._running, self._caller, self._later, self._phones = running, caller, later, phones
        self._opening = opening
        self._app = running.config.profile.app
        self._abandon = [self._app.abandon_after(each.name) for each in running.config.operations]
        self._random = Random(f"{running.config.seed}/abandon")

    def begin(self, visit: Visit, phone: Phone | None) -> None:
        """Start a session; without a phone all of its steps are dropped, each at its time."""
        for step in visit.steps:
            self._running.tally.planned(step.operation, self._running.due_ns(step.due_s))
        if phone is None:
            self._give_up(visit, 0, Outcome.DROPPED, Reason.NONE)
        else:
            self._running.spawn(self._walk, visit, phone, work=True)

    def _walk(self, visit: Visit, phone: Phone) -> None:
        done, ended = 0, (Outcome.BLOCKED, Reason.PHASE_END)
        retries, ready_ns = Retries(self._app.retries_per_session, self._app.attempts), 0
        try:
            for step in visit.steps:
                due_ns = self._running.due_ns(step.due_s)
                if not self._running.until(due_ns):
                    break
                done += 1
                request = self._running.recorder.request(
                    step.operation, due_ns, session=visit.number, cell=visit.cell
                )
                outcome = self._caller.perform(phone, request, ready_ns, retries)
                left = self._leaves(step.operation, outcome, opened=bool(phone.token))
                if left is not None:
                    ended = left
                    break
                ready_ns = time.monotonic_ns()
        except PhaseEnd:
            pass
        self._phones.give_back(phone)
        self._give_up(visit, done, *ended)

    def _leaves(self, operation: int, outcome: Outcome, *, opened: bool) -> tuple[Outcome, Reason] | None:
        """Whether the session ends with a step that came to `outcome`: what becomes of the steps left.

        `opened`: it has a token. One that cannot be renewed is good for a while yet.
        """
        if outcome is Outcome.GOOD:
            return None
        if operation == self._opening and not opened:
            return (Outcome.DROPPED if outcome is Outcome.DROPPED else Outcome.BLOCKED), Reason.NONE
        if outcome is not Outcome.DROPPED and self._random.random() < self._abandon[operation]:
            return Outcome.BLOCKED, Reason.ABANDONED
        return None

    def _give_up(self, visit: Visit, at: int, outcome: Outcome, reason: Reason) -> None:
        """The steps from number `at` on will not be served."""
        for step in visit.steps[at:]:
            due_ns = self._running.due_ns(step.due_s)
            self._later.add(Unserved(due_ns, step.operation, visit.number, visit.cell, outcome, reason))
