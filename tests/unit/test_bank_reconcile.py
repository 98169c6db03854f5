"""Two books of payments: whatever is planted in them is found, and nothing else."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormbank.clearing.compare import Agreement, Booked, Finding, Paid, compare
from stormbank.clearing.handler import settled
from stormbank.clearing.order import PaymentOrder
from stormbank.clearing.party import Listed, Standing
from stormbank.clearing.reconcile import Reconciler
from stormbank.clearing.report import tallies
from stormbank.db.payments import Payment
from stormbank.outbox import Row
from stormbank.roles import ROLES
from stormbank.settings.reader import SettingsError

AMOUNTS = st.integers(1, 10**12)


def order(amount):
    return PaymentOrder(1, "water", amount, "2026-01-01")


def booked(amount, outcome="booked", returned=0):
    return Booked(order(amount), amount, returned, outcome)


def paid(amount, state="confirmed", out=None):
    return Paid(order(amount), state, amount if out is None else out)


@given(amount=AMOUNTS)
def test_how_the_books_of_one_payment_stand(amount):
    agreed, unknown = Finding(Agreement.AGREED, amount), Finding(Agreement.UNKNOWN, amount)
    missing = Finding(Agreement.BOOKED_NOT_PAID, amount)
    extra = Finding(Agreement.PAID_NOT_BOOKED, amount)
    given_back = booked(amount, "compensated", amount)
    for mine, theirs, found in (
        (booked(amount), paid(amount), agreed),
        (given_back, paid(amount, "refused", 0), Finding(Agreement.AGREED, 0)),
        (given_back, None, Finding(Agreement.AGREED, 0)),
        (booked(amount, None), None, unknown),
        (booked(amount, None), paid(amount), unknown),
        (booked(amount), paid(amount, "known", 0), unknown),
        (booked(amount), None, missing),
        (booked(amount), paid(amount, "refused", 0), missing),
        (given_back, paid(amount), extra),
        (None, paid(amount), extra),
        (None, paid(amount, "known", 0), Finding(Agreement.UNKNOWN, 0)),
        (None, paid(amount, "refused", 0), Finding(Agreement.AGREED, 0)),
        # Certain, whatever else is open.
        (booked(amount, None), paid(amount, "confirmed", 2 * amount), extra),
    ):
        assert compare(mine, theirs) == found, (mine, theirs)


@given(mine=AMOUNTS, out=AMOUNTS)
def test_the_difference_is_the_amount(mine, out):
    found = compare(booked(mine), paid(mine, out=out))
    sign = {Agreement.AGREED: 0, Agreement.BOOKED_NOT_PAID: 1, Agreement.PAID_NOT_BOOKED: -1}[found.agreement]
    assert mine - out == sign * (found.amount if sign else 0)


class Books:
    """Both books in memory, at the seams of the database and of the party."""

    def __init__(self, kinds):
        self.mine, self.theirs, self.settlements = {}, {}, []
        for number, kind in enumerate(kinds, 1):
            key = uuid.UUID(int=number)
            if kind != "stray":
                outcome = "booked" if kind in ("agreed", "gone", "twice") else None
                self.mine[key] = [number, outcome, 0]
            if kind not in ("gone", "open"):
                state = {"refused": "refused", "deciding": "known"}.get(kind, "confirmed")
                self.theirs[key] = [(number, state)] * (2 if kind == "twice" else 1)

    async def of_day(self, day, origin=None):
        if origin is None:
            yield [self._payment(key) for key in self.mine]
        else:
            yield [
                Listed(str(key), order(amount), state)
                for key, entries in self.theirs.items()
                for amount, state in entries
            ]

    async def standing(self, key, origin, order):
        entries = self.theirs.get(key, [])
        state = entries[0][1] if entries else "unknown"
        return Standing(state, sum(amount for amount, state in entries if state == "confirmed"))

    async def settle(self, row, done, epoch, deadline):
        self.settlements.append(row.key)
        self.mine[row.key][1] = done.outcome
        if done.booking is not None:
            self.mine[row.key][2] = done.booking.amount
        return done.outcome

    async def epoch(self):
        return None

    def _payment(self, key):
        amount, outcome, returned = self.mine[key]
        row = Row(key.int, key, "clearing", {}, 1)
        return Payment(row, float(key.int), booked(amount, outcome, returned))


KINDS = ("agreed", "gone", "twice", "stray", "open", "deciding", "unheard", "refused")


@given(kinds=st.lists(st.sampled_from(KINDS), max_size=25))
def test_what_is_planted_is_found_and_what_is_decided_is_settled(kinds):
    books = Books(kinds)
    reconciler = Reconciler("cell0", books, books, books, books.epoch)
    report = asyncio.run(reconciler.compare("2026-01-01"))

    def planted(*wanted):
        return [uuid.UUID(int=number) for number, kind in enumerate(kinds, 1) if kind in wanted]

    def found(agreement):
        return sorted(uuid.UUID(item.key) for item in report.of(agreement))

    assert found(Agreement.BOOKED_NOT_PAID) == planted("gone")
    assert found(Agreement.PAID_NOT_BOOKED) == planted("twice", "stray")
    assert found(Agreement.UNKNOWN) == planted("open", "deciding")
    assert report.agreed == len(planted("agreed", "unheard", "refused"))
    assert sorted(books.settlements) == planted("unheard", "refused")
    assert report.settled == len(books.settlements)
    assert report.oldest_unknown_s == max((key.int for key in planted("open", "deciding")), default=0)
    counts = tallies([report])
    assert sum(count for count, _ in counts.values()) == len(kinds)
    # What was settled stays settled, and is nobody's news.
    again = asyncio.run(reconciler.compare("2026-01-01"))
    assert (again.settled, again.items) == (0, report.items)


def test_a_payment_ends_by_the_partys_word_only():
    key = uuid.UUID(int=1)
    assert settled(order(5), key, "confirmed").outcome == "booked"
    back = settled(order(5), key, "refused")
    assert (back.outcome, back.booking.to_account, back.booking.amount) == ("compensated", 1, 5)
    assert -16 <= back.booking.from_account <= -1
    assert settled(order(5), key, "known") is settled(order(5), key, "unknown") is None


def test_settings_of_a_batch_process():
    secret = {"BANK_TOKEN_SECRET": "0" * 16}
    dsn = "postgresql://bank@{}/bank"
    alone = ROLES["batch"].read({**secret, "BANK_DB_DSN": dsn.format("a,b")})
    assert alone.databases == {"cell0": dsn.format("a,b")}
    assert (alone.once, alone.clearing_url, alone.terms.every_s) == (True, None, 0)
    both = {"BANK_CELLS": "cell0,cell1", "BANK_DB_DSNS": f"cell0={dsn.format('a,b')} cell1={dsn.format('c')}"}
    assert set(ROLES["batch"].read({**secret, **both}).databases) == {"cell0", "cell1"}
    for wrong, says in (
        ({"BANK_DB_DSNS": f"cell9={dsn.format('a')}"}, "'cell9': must be of BANK_CELLS"),
        ({"BANK_DB_DSNS": "cell0"}, "not CELL=DSN"),
        ({"BANK_CELLS": "a,b"}, "must be of BANK_CELLS"),
        ({"BANK_INTEREST_BP": "-1"}, "at least 0"),
        ({"BANK_CLEARING_URL": "https://x"}, "not http://"),
    ):
        with pytest.raises(SettingsError, match=says):
            ROLES["batch"].read({**secret, **wrong})
    with pytest.raises(SettingsError, match="two answers must fit"):
        ROLES["ledger"].read({**secret, "BANK_CLEARING_URL": "http://a:1", "BANK_CLEARING_TIMEOUT_S": "3"})
