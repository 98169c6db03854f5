"""Transfers between cells step by step, in any order: dispatchers that overtake each other, crash, or hear nothing."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import asyncpg
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from stormbank.cells import Cells
from stormbank.db.schema import ensure
from stormbank.transit import Transfer, kind_of, transit_account

CELLS = Cells(("cell0", "cell1"))
DATABASES = ("bank", "bank_1")
CUSTOMERS = 6
NOBODY = 1000
EMPTY = """
TRUNCATE movement, entry, outbox, received, peer;
UPDATE account SET balance = opening WHERE balance <> opening;
UPDATE cell_epoch SET version = 0;
"""
MOVE = "SELECT state FROM bank_move(1, %s, %s, %s, 'transfer', %s, %s, %s, NULL, %s, %s, %s)"
CLAIM = "SELECT * FROM bank_claim(1, %s, %s, 2, interval '1 hour')"
RECEIVE = "SELECT outcome FROM bank_receive(1, %s, %s, 1, %s, %s, %s, %s, %s, %s, %s)"
SETTLE = "SELECT bank_settle(1, %s, %s, %s, 1, %s, %s, %s, %s, %s, NULL)"

# Mostly what two dispatchers of one cell do to the same few rows; a re-map or a crash now and then.
PLACES = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(
        st.just("send"), st.integers(0, 2), st.integers(1, CUSTOMERS), st.booleans(), st.integers(1, 50)
    ),
    st.tuples(st.just("take"), PLACES),
    st.tuples(st.just("ask"), PLACES),
    st.tuples(st.just("settle"), PLACES),
    st.tuples(st.sampled_from(["ask_unheard", "put_off", "crash"]), PLACES),
    st.tuples(st.sampled_from(["look", "look", "remap", "founded"]), st.integers(0, 1)),
)


@dataclass
class Held:
    """A row that a dispatcher took, and what it heard about it."""

    row: dict
    heard: str | None = None


@dataclass
class Dispatcher:
    """What a dispatcher knows in its memory: gone when it crashes."""

    cell: int
    versions: list[int] = field(default_factory=lambda: [0, 0])
    held: list[Held] = field(default_factory=list)


class World:
    """Two cells' databases and four dispatchers; every step is one transaction of the bank's own."""

    def __init__(self, connections):
        self.books = connections
        for each in connections:
            each.execute(EMPTY)
            each.execute("DELETE FROM account WHERE id > %s", [NOBODY])
        self.dispatchers = [Dispatcher(number % 2) for number in range(4)]
        self.wanted = {}

    def do(self, name, *arguments):
        # What is refused for its epoch is refused altogether; who was refused looks again by another step.
        with contextlib.suppress(psycopg.errors.RaiseException, Stale):
            getattr(self, name)(*arguments)
        self.never_both()

    def run(self, cell, sql, values):
        try:
            return self.books[cell].execute(sql, values).fetchall()
        except psycopg.Error as error:
            if error.sqlstate in {"BK410", "BK411"}:
                raise Stale from None
            raise

    # What may happen.

    def send(self, number, payer, known, amount):
        key = uuid.UUID(int=number)
        to = payer % CUSTOMERS + 1 + (0 if known else NOBODY)
        if key in self.wanted:
            payer, to, amount = self.wanted[key]  # a phone repeats what it sent
        here, there = payer % 2, CELLS.names[to % 2]
        transfer = Transfer(key, payer, to, amount)
        content = Jsonb(transfer.content())
        through = transit_account(CELLS, there, key)
        version = self.books[here].execute("SELECT version FROM cell_epoch").fetchone()["version"]
        self.run(here, MOVE, (version, key, key, payer, through, amount, to, kind_of(there), content))
        self.wanted[key] = (payer, to, amount)

    def take(self, place):
        """Take what is open, whoever has it: their leases have ended."""
        one = self.dispatchers[place]
        self.books[one.cell].execute("UPDATE outbox SET next_at = now() WHERE done_at IS NULL")
        kinds = [kind_of(CELLS.names[1 - one.cell])]
        one.held += [Held(row) for row in self.run(one.cell, CLAIM, (one.versions[one.cell], kinds))]

    def ask(self, place):
        one = self.dispatchers[place]
        for held in one.held:
            if held.heard is None:
                held.heard = self._asked(one, held)

    def ask_unheard(self, place):
        """The other cell decides, and its answer is lost."""
        one = self.dispatchers[place]
        for held in one.held[:1]:
            self._asked(one, held)

    def _asked(self, one, held):
        transfer, there = Transfer.of(held.row["content"]), 1 - one.cell
        through = transit_account(CELLS, CELLS.names[one.cell], held.row["key"])
        who = (CELLS.names[one.cell], one.versions[one.cell])
        what = (
            transfer.key,
            held.row["key"],
            transfer.from_account,
            transfer.to_account,
            transfer.amount,
            through,
        )
        return self.run(there, RECEIVE, (one.versions[there], *who, *what))[0]["outcome"]

    def settle(self, place):
        one = self.dispatchers[place]
        for held in [each for each in one.held if each.heard]:
            transfer, back = Transfer.of(held.row["content"]), (None,) * 5
            if held.heard == "refused":
                through = transit_account(CELLS, CELLS.names[1 - one.cell], held.row["key"])
                back = (transfer.key, "transfer_back", through, transfer.from_account, transfer.amount)
            outcome = "booked" if held.heard == "booked" else "compensated"
            said = self.run(one.cell, SETTLE, (one.versions[one.cell], held.row["id"], outcome, *back))
            assert list(said[0].values()) == [outcome], "two dispatchers heard different things"
            one.held.remove(held)

    def put_off(self, place):
        one = self.dispatchers[place]
        for held in one.held[:1]:
            sql = "SELECT bank_put_off(1, %s, %s, %s, interval '0')"
            self.run(one.cell, sql, (one.versions[one.cell], held.row["id"], held.row["attempts"]))
            one.held.remove(held)

    def crash(self, place):
        self.dispatchers[place].held.clear()

    def look(self, cell):
        found = [each.execute("SELECT version FROM cell_epoch").fetchone()["version"] for each in self.books]
        for one in self.dispatchers:
            if one.cell == cell:
                one.versions = list(found)

    def remap(self, cell):
        self.books[cell].execute("SELECT bank_remap('elsewhere')")

    def founded(self, cell):
        """Customers come whom the bank did not have when it was asked for them."""
        ids = [n for n in range(NOBODY + 1, NOBODY + CUSTOMERS + 1) if n % 2 == cell]
        sql = "INSERT INTO account SELECT id, 'customer', 0, 0 FROM unnest(%s::bigint[]) id ON CONFLICT DO NOTHING"
        self.books[cell].execute(sql, [ids])

    # What must hold.

    def legs(self):
        found = {}
        for cell, books in enumerate(self.books):
            for row in books.execute("SELECT key, operation, from_account, to_account, amount FROM movement"):
                known = found.setdefault(row["key"], [])
                assert row["operation"] not in known, f"{row} twice"
                known.append(row["operation"])
                assert self.wanted[row["key"]][2] == row["amount"], cell
        return found

    def never_both(self):
        for key, operations in self.legs().items():
            assert not {"credit", "transfer_back"} <= set(operations), key

    def finish(self):
        for place in range(4):
            self.crash(place)
        for cell in (0, 1):
            self.look(cell)
        for _ in range(3):
            for place in (0, 1):
                self.take(place)
                self.ask(place)
                self.settle(place)
        assert self._sum("SELECT count(*) AS n FROM outbox WHERE done_at IS NULL") == 0
        assert self._sum("SELECT sum(balance)::bigint AS n FROM account WHERE kind = 'transit'") == 0
        assert (
            self._sum("SELECT sum(balance - opening)::bigint AS n FROM account WHERE kind = 'customer'") == 0
        )
        ends = self.legs()
        assert set(ends) == set(self.wanted)
        assert all(
            sorted(each) in (["credit", "transfer"], ["transfer", "transfer_back"]) for each in ends.values()
        )

    def _sum(self, sql):
        return sum(each.execute(sql).fetchone()["n"] for each in self.books)


class Stale(Exception):  # noqa: N818 - an answer
    """Refused for an epoch."""


@pytest.fixture
def connections(bank):
    bank.postgres.query("DROP DATABASE IF EXISTS bank_1 WITH (FORCE)", database="postgres")
    bank.postgres.query("CREATE DATABASE bank_1", database="postgres")

    async def found():
        for cell, database in zip(CELLS.names, DATABASES, strict=True):
            one = await asyncpg.connect(bank.dsn(database=database).partition("?")[0])
            await ensure(one, CELLS, cell, CUSTOMERS, "none")
            await one.close()

    asyncio.run(found())
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(bank.postgres.connection(database)) for database in DATABASES]
        for each in opened:
            each.row_factory = dict_row
            each.execute("SET synchronous_commit = off")
        yield opened
    bank.postgres.query("DROP DATABASE bank_1 WITH (FORCE)", database="postgres")


WINDOW = "SELECT bank_recheck(1, 0, 'cell0', 'transfer.cell0', 2, interval '1 hour') AS opened"
OUTCOME = "SELECT outcome FROM outbox"


@pytest.mark.parametrize("first", ["settled", "rechecked"])
@pytest.mark.parametrize("known", [True, False])
def test_what_is_settled_while_the_other_cell_is_promoted_is_looked_after_again(
    connections, bank, eventually, first, known
):
    """Answered under promotion 1, and the settlement's commit stands still while promotion 2 is rechecked."""
    world = World(connections)
    world.send(0, 1, True, 5)
    for step in ("take", "ask"):
        getattr(world, step)(1)
    if known:
        world.books[1].execute("INSERT INTO peer (cell, checked) VALUES ('cell0', 1)")
    ((row,),) = bank.postgres.query("SELECT id FROM outbox", "bank_1")
    settle = (0, row, "booked", *(None,) * 5)
    steps = {"settled": (SETTLE, settle), "rechecked": (WINDOW, ())}
    (other,) = set(steps) - {first}
    with bank.postgres.connection("bank_1") as slow, ThreadPoolExecutor(1) as pool:
        slow.execute("BEGIN")
        slow.execute(*steps[first])
        second = pool.submit(world.books[1].execute, *steps[other])
        waits = "SELECT wait_event FROM pg_stat_activity WHERE wait_event = 'advisory'"
        eventually(lambda: bank.postgres.query(waits) == [("advisory",)], 5, "it waits for the other")
        slow.execute("COMMIT")
        second.result(5)
    assert bank.postgres.query(OUTCOME, "bank_1") == [(None,)], "the row is open"
    assert bank.postgres.query("SELECT next_at <= clock_timestamp() FROM outbox", "bank_1") == [(True,)]
    # Heard under the new promotion it is settled for good.
    world.books[1].execute(SETTLE.replace("%s, 1,", "%s, 2,"), settle)
    assert bank.postgres.query(OUTCOME, "bank_1") == [("booked",)]


# Two ledgers of one cell take the same row, both ask, both settle.
TWICE = [(step, place) for step in ("take", "ask", "settle") for place in (1, 3)]


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(steps=[("send", 0, 1, False, 5), *TWICE])
@example(steps=[("send", 0, 1, True, 5), *TWICE])
@example(steps=[("send", 0, 1, False, 5), ("take", 1), ("ask", 1), ("founded", 0), *TWICE[1:]])
@given(steps=st.lists(STEPS, min_size=10, max_size=80))
def test_in_whatever_order_every_transfer_ends_once_and_all_the_money_is_there(connections, steps):
    world = World(connections)
    for step in steps:
        world.do(*step)
    world.finish()
