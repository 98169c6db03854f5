"""The guarded way to one dependency: bulkhead, circuit breaker and retry budget around each question to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from stormbank.cells import HEADER as CELL_HEADER
from stormbank.clock import Clock
from stormbank.deadline import Deadline
from stormbank.guard.breaker import Breaker, BreakerRules, State
from stormbank.guard.bulkhead import Bulkhead
from stormbank.guard.retries import RetryBudget, RetryRules
from stormbank.operations import Operation
from stormbank.problem import DeadlineExceeded, Unavailable
from stormbank.upstream import Retries, UpstreamAnswer

Observe = Callable[[Operation, float, float | None, bool], None]
_BROKEN: Final = frozenset({500, 502})
"""Answers of somebody who is not well. 503 is a refusal by somebody who is well enough to give one at once."""
_NO_PROOF: Final = frozenset({"timeout", "late"})
"""Outcomes that say nothing in favour of a dependency, however quickly they came."""
_MOST_OF: Final = 0.8


@dataclass(frozen=True)
class GuardRules:
    """None switches a mechanism off."""

    bulkhead: int | None
    breaker: BreakerRules | None
    retries: RetryRules | None

    def within(self, wait_s: float) -> GuardRules:
        """Return the rules for a dependency that is waited for no longer than `wait_s`: most of that is slow."""
        if self.breaker is None:
            return self
        slow_s = min(self.breaker.slow_s, _MOST_OF * wait_s)
        return replace(self, breaker=replace(self.breaker, slow_s=slow_s))


class Asker(Protocol):
    """Somebody who can be asked: an Upstream, or what stands around one."""

    async def ask(
        self,
        operation: Operation,
        headers: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
        query: str = "",
    ) -> UpstreamAnswer:
        """Pass one request on; Unavailable when nobody is reached, DeadlineExceeded when nobody answers."""


class Guarded:
    """The dependency `name`. `connect` makes the way to it, given what its retries cost.

    `count` is told of each call its customer's cell, where the request names it, and its outcome.
    """

    def __init__(
        self,
        name: str,
        rules: GuardRules,
        connect: Callable[[Retries], Asker],
        count: Callable[[str | None, str], None],
        observe: Observe | None = None,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self.name = name
        self.bulkhead = Bulkhead(rules.bulkhead, clock=clock)
        self.retries = RetryBudget(rules.retries, clock=clock)
        self._breaker = Breaker(rules.breaker, clock=clock) if rules.breaker else None
        self._asker = connect(self.retries)
        self._count = count
        self._observe = observe
        self._clock = clock

    @property
    def state(self) -> State:
        """The breaker's."""
        return self._breaker.state if self._breaker else State.CLOSED

    async def ask(
        self,
        operation: Operation,
        headers: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
        query: str = "",
    ) -> UpstreamAnswer:
        """As Upstream.ask; Unavailable at once, and nothing sent, while the dependency is kept apart.

        The reason is then `bulkhead` or `breaker`, and the answer names the dependency.
        """
        cell = headers.get(CELL_HEADER)
        # The bulkhead first: a breaker's trial that is not made would be missed.
        if self.bulkhead.full:
            raise self._kept_apart(cell, "bulkhead")
        if self._breaker is not None and not self._breaker.may_ask():
            raise self._kept_apart(cell, "breaker")
        started_s = self._clock()
        with self.bulkhead.place():
            try:
                answer = await self._asker.ask(operation, headers, body, deadline, query)
            except (Unavailable, DeadlineExceeded) as problem:
                timed_out = isinstance(problem, DeadlineExceeded)
                # Out of time is slow or nothing: whoever asks with a few milliseconds left learns, and shows, nothing.
                outcome = "timeout" if timed_out else "unreachable"
                self._ended(cell, outcome, started_s, failed=not timed_out)
                raise
            except asyncio.CancelledError:
                # Whoever asked waits no more: if that was long, it says as much as a time that ran out here.
                self._ended(cell, "timeout", started_s, failed=False)
                raise
        took_s = self._ended(cell, _outcome(answer.status), started_s, failed=answer.status in _BROKEN)
        if self._observe is not None:
            self._observe(operation, took_s, answer.queue_s, answer.status < 500)
        return answer

    def _kept_apart(self, cell: str | None, mechanism: str) -> Unavailable:
        self._count(cell, mechanism)
        return Unavailable(mechanism, dependency=self.name)

    def _ended(self, cell: str | None, outcome: str, started_s: float, *, failed: bool) -> float:
        took_s = self._clock() - started_s
        self._count(cell, outcome)
        if self._breaker is not None:
            self._breaker.ended(failed=failed, took_s=took_s, proof=outcome not in _NO_PROOF)
        return took_s


def _outcome(status: int) -> str:
    if status < 400:
        return "ok"
    if status < 500:
        return "refused"
    return {503: "unavailable", 504: "late"}.get(status, "failed")
