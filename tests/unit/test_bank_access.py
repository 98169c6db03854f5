"""Waiting for a connection to the books: as long as the request's own time allows, and no longer than is of use."""

from __future__ import annotations

import asyncio
import time

import pytest

from stormbank.db.access import LONG_WAIT_S, Access
from stormbank.db.pool import Pool
from stormbank.db.primary import Primary
from stormbank.deadline import Deadline
from stormbank.problem import DeadlineExceeded, Unavailable


class Line:
    """A connection as far as a pool can tell."""

    closed = False

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.closed = True

    def add_termination_listener(self, heard) -> None:
        pass


class Suspicions(Primary):
    """A primary that is there, with connections that only a pool can use; it counts what is said of it."""

    def __init__(self, connections: int) -> None:
        async def connect() -> Line:
            return Line()

        super().__init__((), password=None, pool_size=connections, prepare=None)
        self._pool = Pool(connect, connections, Line())
        self.raised = 0

    def suspect(self) -> None:
        self.raised += 1
        super().suspect()


def bank(connections):
    primary = Suspicions(connections)
    return primary, Access(primary, connections)


async def taking(access, seconds, *, budget_s, how="write"):
    """One piece of work of so many seconds; what it came to, and the time until then."""

    async def work(connection):
        await asyncio.sleep(seconds)
        return "done"

    began_s = time.monotonic()
    try:
        result = await getattr(access, how)(work, Deadline.after_ms(budget_s * 1000))
    except (Unavailable, DeadlineExceeded) as problem:
        result = problem.fields["reason"], problem.fields["outcome"]
    return result, time.monotonic() - began_s


def together(*work):
    async def scenario():
        return await asyncio.gather(*work)

    return asyncio.run(scenario())


@pytest.mark.parametrize("how", ["write", "read"])
def test_who_has_time_waits_through_a_hiccup(how):
    # Three connections: one for writes, two more for reads.
    primary, access = bank(3)
    before = {"write": 1, "read": 3}[how]
    first = [taking(access, 0.6, budget_s=6, how=how) for _ in range(before)]
    *_, (last, waited_s) = together(*first, taking(access, 0.0, budget_s=6, how=how))
    assert last == "done"
    assert waited_s > LONG_WAIT_S
    assert primary.raised == (how == "read"), "for writes it is the overdue one that is suspicious"


def test_half_of_the_time_is_for_waiting():
    _, access = bank(3)
    _, (last, waited_s) = together(taking(access, 2.0, budget_s=5), taking(access, 0.0, budget_s=0.6))
    assert last == ("database_busy", "none")
    assert 0.25 < waited_s < 1.5  # 0.3 s, and what a busy machine adds


def test_nobody_waits_long_once_a_commit_is_overdue():
    _, access = bank(3)

    async def scenario():
        overdue, _ = await taking(access, 3, budget_s=0.05)
        later = await taking(access, 0.0, budget_s=10)
        for task in access._parked:
            task.cancel()
        return overdue, later

    overdue, (later, waited_s) = asyncio.run(scenario())
    assert overdue == ("database", "unknown")
    assert later == ("database_busy", "none")
    assert LONG_WAIT_S <= waited_s < 4  # and not half of its time
