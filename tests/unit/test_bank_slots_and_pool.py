"""Worker slots and the connection pool: who waits, who gets what, and what is left after trouble."""

from __future__ import annotations

import asyncio

import pytest

from stormbank.db.pool import Pool
from stormbank.deadline import Deadline
from stormbank.problem import DeadlineExceeded
from stormbank.slots import Slots


def test_slots_serve_in_the_order_of_arrival_and_are_all_given_back():
    async def scenario():
        waits, order = [], []
        slots = Slots(2, waits.append)

        async def one(name):
            await slots.work(0.02, Deadline.after_ms(1000))
            order.append(name)

        await asyncio.gather(*(one(name) for name in range(6)))
        assert slots.busy == 0
        assert order == list(range(6))
        assert len(waits) == 6
        assert waits[0] < 0.02
        assert waits[5] > 0.03

    asyncio.run(scenario())


def test_whoever_waits_too_long_leaves_the_queue_and_takes_no_slot():
    async def scenario():
        slots = Slots(1, lambda _: None)
        first = asyncio.create_task(slots.work(0.1, Deadline.after_ms(1000)))
        await asyncio.sleep(0)
        started_s = asyncio.get_running_loop().time()
        with pytest.raises(DeadlineExceeded):
            await slots.work(0.03, Deadline.after_ms(60))
        # Told when it became certain, 30 ms before the deadline itself.
        assert asyncio.get_running_loop().time() - started_s < 0.05
        with pytest.raises(DeadlineExceeded):
            await slots.work(0.03, Deadline.after_ms(-5))
        await first
        assert slots.busy == 0
        await slots.work(0.0, Deadline.after_ms(100))
        with pytest.raises(DeadlineExceeded):
            await slots.work(0.2, Deadline.after_ms(100))
        assert slots.busy == 0

    asyncio.run(scenario())


class Line:
    """A connection as far as a pool can tell."""

    def __init__(self) -> None:
        self.closed = False
        self.heard = []

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.closed = True
        for each in self.heard:
            asyncio.get_running_loop().call_soon(each, self)

    def add_termination_listener(self, heard) -> None:
        self.heard.append(heard)


def test_a_pool_lends_the_newest_and_forgets_the_broken():
    async def scenario():
        opened = []

        async def connect():
            opened.append(Line())
            return opened[-1]

        first = Line()
        pool = Pool(connect, 2, first)
        async with pool.lease(1) as one, pool.lease(1) as two:
            assert (one, two) == (first, opened[0])
            with pytest.raises(TimeoutError):
                async with pool.lease(0.01):
                    pass
            two.closed = True
        async with pool.lease(1) as again:
            assert again is first
        assert len(opened) == 1

    asyncio.run(scenario())


def test_a_connection_that_ends_while_nobody_uses_it_is_told_of_at_once():
    async def scenario():
        told = []

        async def connect():
            return Line()

        first = Line()
        pool = Pool(connect, 3, first, lambda: told.append("lost"))
        await pool.fill()
        async with pool.lease(1) as used:
            used.terminate()  # whoever uses it sees that by itself
            await asyncio.sleep(0)
        async with pool.lease(1, fresh=True) as idle:
            await asyncio.sleep(0)
        assert told == []
        idle.terminate()
        await asyncio.sleep(0)
        assert told == ["lost"]
        async with pool.lease(1) as left, pool.lease(1) as other:
            assert idle not in (left, other)
        for each in (left, other):
            each.terminate()
        await asyncio.sleep(0)
        assert told == ["lost"] * 3
        pool.terminate()
        await asyncio.sleep(0)
        assert told == ["lost"] * 3

    asyncio.run(scenario())


def test_a_fresh_connection_is_new_and_takes_the_room_of_an_idle_one():
    async def scenario():
        opened = []

        async def connect():
            opened.append(Line())
            return opened[-1]

        first = Line()
        pool = Pool(connect, 2, first)
        async with pool.lease(1, fresh=True) as one:
            assert (one, first.closed) == (opened[0], True)
        async with pool.lease(1) as one, pool.lease(1, fresh=True) as two:
            assert (one, two) == (opened[0], opened[1])

    asyncio.run(scenario())


def test_a_pool_that_fails_to_connect_keeps_its_room():
    async def scenario():
        async def connect():
            raise ConnectionRefusedError

        dead = Line()
        dead.closed = True
        pool = Pool(connect, 1, dead)
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                async with pool.lease(0.1):
                    pass

    asyncio.run(scenario())


def test_terminate_closes_lent_and_idle_and_late_connections():
    async def scenario():
        gate, late = asyncio.Event(), Line()

        async def connect():
            await gate.wait()
            return late

        first = Line()
        pool = Pool(connect, 2, first)
        async with pool.lease(1):
            waiting = asyncio.create_task(pool.lease(1).__aenter__())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            pool.terminate()
            gate.set()
            with pytest.raises(ConnectionAbortedError):
                await waiting
        assert (first.closed, late.closed) == (True, True)
        with pytest.raises(ConnectionAbortedError):
            async with pool.lease(1):
                pass

    asyncio.run(scenario())
