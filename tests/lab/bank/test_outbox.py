"""The outbox on a real PostgreSQL: rows are taken by one, given back, settled once, and outlive who took them."""

from __future__ import annotations

import asyncio
import functools
import uuid
from contextlib import asynccontextmanager

import pytest

from stormbank.background import beside
from stormbank.cells import Cells
from stormbank.db.access import Access
from stormbank.db.address import parse_dsn
from stormbank.db.books import Books, Movement, Outgoing
from stormbank.db.outbox import Outbox
from stormbank.db.primary import Primary
from stormbank.db.schema import ensure
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch
from stormbank.metrics import OutboxMetrics, ServiceMetrics
from stormbank.outbox import Done, Later
from stormbank.outbox.dispatcher import Dispatcher
from stormbank.problem import Refused, StaleEpoch

NOW = Epoch(1, 0)


def in_a_loop(test):
    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


def soon():
    return Deadline.after_ms(3000)


@asynccontextmanager
async def books_of(bank):
    async def prepare(connection):
        await ensure(connection, Cells(("cell0",)), "cell0", 10, "none")

    primary = Primary(parse_dsn(bank.dsn()), password=None, pool_size=6, prepare=prepare)
    async with beside(lambda: None, {"the search": primary.watch()}):
        await asyncio.wait_for(primary.found_once.wait(), 10)
        yield Access(primary, 6)


def payment(customer=1, amount=5, kind="test", **content):
    outgoing = Outgoing(kind, {"n": amount, **content})
    return Movement(uuid.uuid4(), "payment", customer, -1, amount, "water", outgoing=outgoing)


def back(movement):
    return Movement(movement.key, "back", -1, movement.from_account, movement.amount)


@in_a_loop
async def test_a_row_comes_with_its_movement_and_never_twice(bank):
    async with books_of(bank) as access:
        books, wanted = Books(access, idempotency=True), payment(amount=7)
        first = await books.move(wanted, NOW, soon())
        again = await books.move(wanted, NOW, soon())
        assert (first.repeated, first.state, again.repeated, again.state) == (
            False,
            "in_transit",
            True,
            "in_transit",
        )
        with pytest.raises(Refused):
            await books.move(payment(amount=10**10), NOW, soon())
        # The books add the business day to the content.
        rows = bank.postgres.query("SELECT key, kind, content - 'day', attempts, outcome FROM outbox")
        assert rows == [(wanted.key, "test", {"n": 7}, 0, None)]
        plain = Movement(uuid.uuid4(), "transfer", 1, 2, 5)
        assert (await books.move(plain, NOW, soon())).state == "booked"


@in_a_loop
async def test_rows_are_taken_by_one_for_the_lease_and_by_another_after_it(bank, eventually):
    async with books_of(bank) as access:
        books, outbox = Books(access, idempotency=True), Outbox(access, 0.5)
        for _ in range(20):
            await books.move(payment(), NOW, soon())
        took = await asyncio.gather(*(outbox.claim(["test"], 7, NOW, soon()) for _ in range(4)))
        ids = [row.id for rows in took for row in rows]
        assert sorted(ids) == sorted(set(ids))
        rest = await outbox.claim(["test"], 20, NOW, soon())
        assert len(ids) + len(rest) == 20
        assert await outbox.claim(["test"], 20, NOW, soon()) == []
        assert await outbox.claim(["other"], 20, NOW, soon()) == []
        due = "SELECT count(*) FROM outbox WHERE next_at <= clock_timestamp()"
        await asyncio.to_thread(
            eventually, lambda: bank.postgres.query(due) == [(20,)], 3, "the lease is over"
        )
        again = await outbox.claim(["test"], 20, NOW, soon())
        assert {row.attempts for row in again} == {2}
        # Who held it before has no say any more.
        await outbox.put_off(took[0][0], 60, NOW, soon())
        assert bank.postgres.query("SELECT count(*) FROM outbox WHERE next_at > now() + interval '30s'") == [
            (0,)
        ]
        await outbox.put_off(again[0], 60, NOW, soon())
        assert bank.postgres.query("SELECT count(*) FROM outbox WHERE next_at > now() + interval '30s'") == [
            (1,)
        ]


@in_a_loop
async def test_the_first_outcome_stays_and_money_comes_back_once(bank, books_agree):
    async with books_of(bank) as access:
        books, outbox = Books(access, idempotency=True), Outbox(access, 5)
        for number in range(8):
            wanted = payment(amount=100 + number)
            await books.move(wanted, NOW, soon())
            (row,) = await outbox.claim(["test"], 5, NOW, soon())
            dones = [Done("booked"), Done("compensated", back(wanted))] * 3
            found = await asyncio.gather(*(outbox.settle(row, done, NOW, soon()) for done in dones))
            assert len(set(found)) == 1
            state = (await books.move(wanted, NOW, soon())).state
            given = bank.postgres.query("SELECT key FROM movement WHERE NOT ordered")
            assert (state, ((wanted.key,) in given)) == (found[0], found[0] == "compensated")
        assert bank.postgres.query("SELECT count(*) FROM outbox WHERE done_at IS NULL") == [(0,)]
        books_agree(bank.postgres)


@in_a_loop
async def test_nothing_is_done_under_another_epoch(bank):
    async with books_of(bank) as access:
        books, outbox = Books(access, idempotency=True), Outbox(access, 5)
        wanted = payment()
        await books.move(wanted, NOW, soon())
        (row,) = await outbox.claim(["test"], 5, NOW, soon())
        bank.postgres.query("SELECT bank_remap('elsewhere')")
        for epoch in (NOW, Epoch(1, 2), None):
            with pytest.raises(StaleEpoch):
                await outbox.claim(["test"], 5, epoch, soon())
            with pytest.raises(StaleEpoch):
                await outbox.settle(row, Done("compensated", back(wanted)), epoch, soon())
            with pytest.raises(StaleEpoch):
                await outbox.put_off(row, 1, epoch, soon())
        assert bank.postgres.query("SELECT count(*) FROM movement") == [(1,)]
        assert await outbox.settle(row, Done("booked"), Epoch(1, 1), soon()) == "booked"


class Fickle:
    """Says Later twice, fails once, and then does it."""

    def __init__(self):
        self.seen = []

    async def handle(self, row):
        self.seen.append((row.content["n"], row.attempts))
        if row.attempts == 3:
            raise RuntimeError("as nobody foresaw")
        return Done("booked") if row.attempts > 3 else Later(0.01)


@in_a_loop
async def test_a_dispatcher_goes_on_until_a_row_is_settled(bank, eventually):
    async with books_of(bank) as access:
        metrics, fickle, doubted = ServiceMetrics("ledger", zone="z", pod="p"), Fickle(), []
        counts = OutboxMetrics(metrics.registry, "cell0", ["test"])
        now = [NOW]

        def doubt():
            doubted.append(now[0])
            now[0] = Epoch(1, 1)

        dispatcher = Dispatcher(
            Outbox(access, 5), {"test": fickle}, epoch=lambda: now[0], doubt=doubt, counts=counts, parallel=3
        )
        books = Books(access, idempotency=True)
        for number in range(10):
            await books.move(payment(amount=1 + number), NOW, soon())
        other = payment(kind="nobody's")
        await books.move(other, NOW, soon())
        bank.postgres.query("SELECT bank_remap('elsewhere')")
        async with beside(lambda: None, {"the dispatcher": dispatcher.keep()}):
            dispatcher.wake()
            left = "SELECT key FROM outbox WHERE done_at IS NULL"
            await asyncio.to_thread(
                eventually, lambda: bank.postgres.query(left) == [(other.key,)], 10, "all are settled"
            )
        assert doubted == [NOW]
        assert sorted(fickle.seen) == [
            (1 + number, attempt) for number in range(10) for attempt in (1, 2, 3, 4)
        ]
        told = metrics.exposition().decode()
        assert 'bank_outbox_attempts_total{cell="cell0",kind="test"} 40.0' in told
        assert 'bank_outbox_ended_total{cell="cell0",kind="test",outcome="later"} 30.0' in told
        assert 'bank_outbox_ended_total{cell="cell0",kind="test",outcome="booked"} 10.0' in told
