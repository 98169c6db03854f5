"""The guard's PromQL while the drill runs: what it says, and that it says nothing.

A query that is not answered neither starts nor ends a breach, so a guard can be blind without anybody's
noticing. `guard.blind` says so once it has been for longer than its grace period, `guard.sees` that it is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stormdrill.errors import StormdrillError
from stormdrill.guard import Guard
from stormdrill.prometheus import Prometheus
from stormdrill.scenario import GuardRule
from stormdrill.units import NS_PER_S


@dataclass
class _Silence:
    since_ns: int
    told: bool = False


class GuardQueries:
    """Asks every query of the guard when told to, and feeds it the answers. One thread at a time."""

    def __init__(self, guard: Guard, prometheus: Prometheus, record: Callable[..., Any]) -> None:
        self._guard = guard
        self._prometheus = prometheus
        self._record = record
        self._silent: dict[str, _Silence] = {}

    def ask(self) -> None:
        """Take one sample of each rule. A failing query leaves the others their answers."""
        for rule in self._guard.queries:
            at_ns = time.monotonic_ns()
            try:
                samples = self._prometheus.instant(rule.query or "").samples
            except StormdrillError as error:
                self._unanswered(rule, at_ns, str(error))
                continue
            self._answered(rule, at_ns)
            known = [sample.value for sample in samples if sample.value is not None]
            broken = [value for value in known if not rule.limit.holds(value)]
            self._guard.sample(rule, at_ns, next(iter(broken or known), None))

    def nobody_answers(self, at_ns: int, why: str) -> None:
        """Prometheus as a whole is silent: no rule has an answer."""
        for rule in self._guard.queries:
            self._unanswered(rule, at_ns, why)

    def _unanswered(self, rule: GuardRule, at_ns: int, why: str) -> None:
        silence = self._silent.setdefault(rule.id, _Silence(at_ns))
        lasted_s = (at_ns - silence.since_ns) / NS_PER_S
        if not silence.told and lasted_s >= rule.grace_s:
            silence.told = True
            self._record("guard.blind", name=rule.id, why=f"no answer for {lasted_s:.0f} s: {why}")

    def _answered(self, rule: GuardRule, at_ns: int) -> None:
        silence = self._silent.pop(rule.id, None)
        if silence and silence.told:
            self._record("guard.sees", name=rule.id, after_s=round((at_ns - silence.since_ns) / NS_PER_S, 1))
