"""What three books say of the same orders: each cell's ledger, its money in transit, and the clearing party's file."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter

from tests.lab.bank.storm import NOBODY, Transfer
from tests.lab.bank.two_cells import IN_TRANSIT

LEGS = "SELECT operation, key::text, from_account, to_account, beyond, amount, payee FROM movement"
CLEARED = "SELECT coalesce(sum(balance), 0)::bigint FROM account WHERE kind = 'clearing'"
SETTLED = """SELECT coalesce(sum((content ->> 'amount')::bigint), 0)::bigint FROM outbox
             WHERE kind = 'clearing' AND outcome = 'booked'"""
MOVED = "SELECT coalesce(sum(balance - opening), 0)::bigint FROM account WHERE kind = 'customer'"
PAID_OUT = "SELECT key, origin, payer, payee, amount, state FROM paid_order"


def legs_of(two):
    """Return by key and by operation and cell what is booked; no leg may be there twice."""
    legs = {}
    for cell, rows in enumerate(two.query(LEGS)):
        for operation, key, *leg in rows:
            known = legs.setdefault(key, {})
            assert (operation, cell) not in known, f"{operation} {key} twice"
            known[operation, cell] = leg
    return legs


def judge_transfer(order, found):
    """Fail unless a transfer is there once, in its cell and in the other one, or given back."""
    here, there = order.payer % 2, 1 - order.payer % 2
    source, target, beyond, amount, _ = found.pop(("transfer", here))
    assert (source, amount) == (order.payer, order.amount)
    if order.to % 2 == here:
        assert (target, beyond, found) == (order.to, None, {})
        return
    assert beyond == order.to
    if order.to > NOBODY:
        assert found == {("transfer_back", here): [target, order.payer, None, order.amount, None]}
    else:
        assert list(found) == [("credit", there)]
        assert found["credit", there][1::2] == [order.to, order.amount]


def judge_payment(order, found, listed):
    """Fail unless a payment left the bank once, and is given back where the party has refused it."""
    here = order.payer % 2
    source, target, *rest = found.pop(("payment", here))
    assert (source, rest) == (order.payer, [None, order.amount, order.payee])
    [(*told, state)] = listed
    assert told == [f"cell{here}", order.payer, order.payee, order.amount]
    returned = [target, order.payer, None, order.amount, order.payee]
    assert found == ({("payment_return", here): returned} if state == "refused" else {}), state
    assert state in {"confirmed", "refused"}


def judge(two, file, wanted):
    """Fail unless every order is carried out once or given back, and all sums agree; returns how payments ended."""
    legs, listed = legs_of(two), {}
    with sqlite3.connect(file) as books:
        for key, *told in books.execute(PAID_OUT):
            listed.setdefault(key, []).append(told)
    assert set(legs) == {order.key for order in wanted}
    assert set(listed) == {order.key for order in wanted if not isinstance(order, Transfer)}
    ended, paid = Counter(), Counter()
    for order in wanted:
        if isinstance(order, Transfer):
            judge_transfer(order, legs[order.key])
        else:
            judge_payment(order, legs[order.key], listed[order.key])
            state = listed[order.key][0][-1]
            ended[state] += 1
            paid[order.payer % 2] += order.amount if state == "confirmed" else 0
    by_cell = [paid[0], paid[1]]
    for sql in (CLEARED, SETTLED):
        assert [rows[0][0] for rows in two.query(sql)] == by_cell, sql
    assert two.number(IN_TRANSIT) == 0
    assert two.number(MOVED) == -sum(by_cell)
    return ended, by_cell


def reconcile(env, cell, date):
    """Compare a cell's books with the party's by hand, as an operator does: its exit code and its report."""
    argv = [sys.executable, "-m", "stormbank", "reconcile", "--cell", cell, "--date", date, "--timeout", "10"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)
