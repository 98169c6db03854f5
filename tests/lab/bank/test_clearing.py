"""Payments that leave the bank: three books agree, whoever is slow, silent or killed, and what takes that away."""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

TIMEOUT_S = "0.3"
OPENING = 100_000_000


class Estate:
    """A bank whose payments leave it, and the party that they go to."""

    def __init__(self, bank, ledgers=1, *, party=None, **env):
        self.bank = bank
        self.file = bank.root / "clearing.sqlite"
        self.party = bank.clearing(BANK_CLEARING_BOOKS=str(self.file), **(party or {}))
        url = f"http://127.0.0.1:{self.party.port}"
        env = {
            "BANK_CLEARING_URL": url,
            "BANK_CLEARING_TIMEOUT_S": TIMEOUT_S,
            "BANK_OUTBOX_LEASE_S": "1",
            **env,
        }
        self.ledgers = [bank.ledger(**env) for _ in range(ledgers)]
        self.gateway = bank.gateway(*self.ledgers)
        self.batch_env = {
            "BANK_DB_DSN": bank.dsn(),
            "BANK_CLEARING_URL": url,
            "BANK_RECONCILE_EVERY_S": "0.3",
        }

    def batch(self, **env):
        return self.bank._start("batch", {**self.batch_env, **env})

    def behaves(self, **trouble):
        self.party.trouble(**trouble)

    def came(self, key):
        return self.party.call("GET", f"/orders?origin=cell0&key={key}").json["came"]

    def reconcile(self, timeout="1"):
        date = self.bank.postgres.query("SELECT date::text FROM business_day")[0][0]
        argv = [sys.executable, "-m", "stormbank", "reconcile", "--date", date, "--timeout", timeout]
        env = {"BANK_TOKEN_SECRET": "0" * 16, **self.batch_env}
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)

    def open(self):
        return self.bank.postgres.query("SELECT count(*) FROM outbox WHERE done_at IS NULL")[0][0]

    def outcome(self, key):
        return self.bank.postgres.query(f"SELECT outcome FROM outbox WHERE key = '{key}'")[0][0]  # noqa: S608 - a key of ours

    def paid_out(self):
        """All that the party has, by key: how often it was confirmed, and fen."""
        found = Counter()
        with sqlite3.connect(self.file) as books:
            for key, amount in books.execute("SELECT key, amount FROM paid_order WHERE state = 'confirmed'"):
                found[key] += amount
        return found

    def balance(self, account):
        return self.bank.postgres.query(f"SELECT balance FROM account WHERE id = {account}")[0][0]  # noqa: S608 - ours


def new_key():
    return str(uuid.uuid4())


def test_a_payment_is_confirmed_and_both_books_agree(bank, eventually, books_agree):
    estate = Estate(bank)
    key = new_key()
    reply = estate.gateway.pay(estate.gateway.login(1), key)
    assert (reply.status, reply.json["state"]) == (201, "in_transit")
    eventually(lambda: estate.outcome(key) == "booked", 5, "it is confirmed")
    assert estate.gateway.pay(estate.gateway.login(1), key).json["state"] == "booked"
    assert estate.paid_out() == {key: 5}
    done = estate.reconcile()
    found = json.loads(done.stdout)
    assert (done.returncode, found["agreed"], found["settled"]) == (0, {"count": 1, "amount": 5}, 0)
    books_agree(bank.postgres)


def test_a_refused_payment_gives_the_money_back_once(bank, eventually, books_agree):
    estate = Estate(bank, party={"BANK_CLEARING_REFUSE_SHARE": "1"})
    key = new_key()
    estate.gateway.pay(estate.gateway.login(1), key)
    eventually(lambda: estate.outcome(key) == "compensated", 5, "it is refused")
    assert estate.balance(1) == OPENING
    token = estate.gateway.login(1)
    assert estate.gateway.pay(token, key).json["state"] == "compensated"
    confirmed = estate.gateway.call("GET", f"/v1/movements?key={key}", token=token)
    assert confirmed.json["state"] == "compensated"
    found = bank.postgres.query("SELECT operation, ordered FROM movement ORDER BY id")
    assert found == [("payment", True), ("payment_return", False)]
    assert estate.reconcile().returncode == 0
    books_agree(bank.postgres)


def test_a_payment_that_timed_out_after_it_was_accepted_is_asked_for_and_never_sent_anew(bank, eventually):
    estate = Estate(bank)
    estate.behaves(silent_share=1)
    key = new_key()
    estate.gateway.pay(estate.gateway.login(1), key)
    eventually(lambda: estate.paid_out() == {key: 5}, 5, "it is accepted")
    lasting = estate.reconcile()
    assert (lasting.returncode, "not compared" in lasting.stderr) == (3, True)
    assert estate.outcome(key) is None
    estate.behaves(silent_share=0)
    eventually(lambda: estate.outcome(key) == "booked", 8, "it is asked for")
    assert estate.paid_out() == {key: 5}
    assert estate.came(key) == 1


def test_an_order_that_a_failover_makes_the_bank_forget_is_paid_once(bank, eventually):
    estate, key = forgotten(bank, eventually, {})
    assert (estate.paid_out(), estate.came(key)) == ({key: 5}, 2)
    assert estate.reconcile().returncode == 0


def test_without_idempotency_at_the_party_it_is_paid_twice(bank, eventually):
    estate, key = forgotten(bank, eventually, {"BANK_CLEARING_IDEMPOTENCY": "off"})
    assert estate.paid_out() == {key: 10}
    done = estate.reconcile()
    found = json.loads(done.stdout)["paid_not_booked"]
    assert done.returncode == 1
    assert [(each["key"], each["amount"]) for each in found] == [(key, 5)]


def forgotten(bank, eventually, party):
    """Send an order, and have the books forget it, as a standby does that is promoted without its newest commits."""
    estate = Estate(bank, party=party)
    estate.behaves(silent_share=1)
    key = new_key()
    estate.gateway.pay(estate.gateway.login(1), key)
    eventually(lambda: estate.paid_out() == {key: 5}, 5, "it is accepted")
    estate.ledgers[0].stop()
    bank.postgres.query("UPDATE outbox SET attempts = 0, next_at = created_at")
    estate.behaves(silent_share=0)
    estate.ledgers[0].start()
    eventually(lambda: estate.outcome(key) == "booked", 8, "it is confirmed")
    return estate, key


def test_without_one_order_a_payment_is_paid_as_often_as_it_times_out(bank, eventually, books_agree):
    estate = Estate(bank, BANK_CLEARING_ONE_ORDER="off")
    estate.behaves(silent_share=1)
    key = new_key()
    estate.gateway.pay(estate.gateway.login(1), key)
    eventually(lambda: len(estate.paid_out()) >= 2, 8, "it was sent twice")
    estate.behaves(silent_share=0)
    eventually(lambda: estate.outcome(key) == "booked", 8, "the last order is confirmed")
    found = json.loads(estate.reconcile().stdout)
    assert sum(each["amount"] for each in found["paid_not_booked"]) == 5 * len(estate.paid_out())
    books_agree(bank.postgres)


def test_two_cells_may_use_the_same_key_and_each_payment_is_paid(bank, eventually, urls):
    """A key is a phone's own invention: nothing but the cell's books makes it the only one, and there are two."""
    bank.postgres.query("DROP DATABASE IF EXISTS bank_1 WITH (FORCE)", database="postgres")
    bank.postgres.query("CREATE DATABASE bank_1", database="postgres")
    two, far = {"BANK_CELLS": "cell0,cell1"}, bank.dsn(database="bank_1")
    estate = Estate(bank, BANK_CELL="cell0", **two)
    clearing = {
        "BANK_CLEARING_URL": estate.batch_env["BANK_CLEARING_URL"],
        "BANK_CLEARING_TIMEOUT_S": TIMEOUT_S,
    }
    other = bank.ledger(far, BANK_CELL="cell1", BANK_OUTBOX_LEASE_S="1", **clearing, **two)
    gateway = bank.gateway(**two, BANK_LEDGERS=f"cell0={urls(*estate.ledgers)},cell1={urls(other)}")
    estate.batch_env |= two
    key = new_key()
    gateway.pay(gateway.login(2), key)
    eventually(lambda: estate.outcome(key) == "booked", 5, "the one is confirmed")
    gateway.pay(gateway.login(1), key, amount=7)
    done = "SELECT outcome FROM outbox WHERE done_at IS NOT NULL"
    ((outcome,),) = eventually(lambda: bank.postgres.query(done, "bank_1"), 8, "the other has ended")
    assert (outcome, estate.paid_out()) == ("booked", {key: 12})
    for cell, dsn, amount in (("cell0", bank.dsn(), 5), ("cell1", far, 7)):
        estate.batch_env |= {"BANK_CELL": cell, "BANK_DB_DSN": dsn}
        found = estate.reconcile()
        assert json.loads(found.stdout)["agreed"] == {"count": 1, "amount": amount}, found.stderr
    # Neither does comparing take the one's for the other's, where only one has come.
    with sqlite3.connect(estate.file) as books:
        books.execute("DELETE FROM paid_order WHERE origin = 'cell1'")
    other.stop()
    bank.postgres.query("UPDATE outbox SET done_at = NULL, outcome = NULL", "bank_1")
    found = json.loads(estate.reconcile().stdout)
    assert [(each["key"], each["amount"]) for each in found["unknown"]] == [(key, 7)]
    bank.postgres.query("DROP DATABASE bank_1 WITH (FORCE)", database="postgres")


def test_a_key_that_the_party_knows_for_another_order_gives_the_money_back(bank, eventually, books_agree):
    """As after a failover that lost a payment, where the phone uses its key again for something else."""
    estate = Estate(bank)
    key = new_key()
    stray = {"key": key, "origin": "cell0", "day": "2026-01-01", "payer": 1, "payee": "water", "amount": 4}
    assert estate.party.call("POST", "/orders", stray).status == 200
    estate.gateway.pay(estate.gateway.login(1), key)
    eventually(lambda: estate.outcome(key) == "compensated", 8, "it is never paid, and given back")
    assert (estate.balance(1), estate.paid_out()) == (OPENING, {key: 4})
    books_agree(bank.postgres)


def test_a_dead_party_hurts_no_customer_and_is_told_everything_later(bank, eventually):
    estate = Estate(bank)
    token = estate.gateway.login(1)
    estate.party.stop()
    replies = [estate.gateway.pay(token) for _ in range(20)]
    assert {each.status for each in replies} == {201}
    assert max(each.took_s for each in replies) < 1
    estate.party.start()
    eventually(lambda: estate.open() == 0, 15, "all are confirmed")
    assert sum(estate.paid_out().values()) == 100


def test_without_a_party_a_payment_stays_in_the_bank(bank):
    gateway = bank.gateway(bank.ledger())
    assert gateway.pay(gateway.login(1)).json["state"] == "booked"
    assert bank.postgres.query("SELECT count(*) FROM outbox") == [(0,)]


def test_an_order_of_the_banks_own_fund_does_not_leave_it(bank, books_agree):
    """The clearing party has no say in it: it would refuse, and the order would be told as done and paid back."""
    estate = Estate(bank, party={"BANK_CLEARING_REFUSE_SHARE": "1"})
    gateway = bank.gateway(*estate.ledgers, services=[bank.service("wealth", *estate.ledgers)])
    token, key = gateway.login(1), new_key()
    order = {"product": "bonds", "amount": 5_000}
    for repeated in (False, True):
        reply = gateway.call("POST", "/v1/wealth/orders", order, token=token, key=key)
        assert (reply.status, reply.json["state"], reply.json["repeated"]) == (201, "booked", repeated)
    assert bank.postgres.query("SELECT count(*) FROM outbox") == [(0,)]
    assert gateway.pay(token).json["state"] == "in_transit", "what is paid to others leaves"
    assert estate.came(key) == 0
    books_agree(bank.postgres)


def test_reconciling_settles_what_the_party_decided_and_lists_the_rest(bank, eventually, books_agree):
    estate = Estate(bank)
    token = estate.gateway.login(1)
    sure, gone = new_key(), new_key()
    for key in (sure, gone):
        estate.gateway.pay(token, key)
    eventually(lambda: estate.open() == 0, 5, "both are confirmed")
    estate.behaves(silent_share=1)
    unheard = new_key()
    estate.gateway.pay(token, unheard)
    eventually(lambda: unheard in estate.paid_out(), 5, "the third is accepted")
    for ledger in estate.ledgers:
        ledger.stop()
    estate.behaves(silent_share=0)
    with sqlite3.connect(estate.file) as books:
        books.execute("DELETE FROM paid_order WHERE key = ?", (gone,))
    date = bank.postgres.query("SELECT date::text FROM business_day")[0][0]
    stray_key = new_key()
    stray = {"key": stray_key, "origin": "cell0", "day": date, "payer": 7, "payee": "gas", "amount": 11}
    assert estate.party.call("POST", "/orders", stray).status == 200
    done = estate.reconcile()
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["settled"], found["agreed"]["count"], found["unknown"]) == (1, 2, [])
    assert [(each["key"], each["amount"]) for each in found["booked_not_paid"]] == [(gone, 5)]
    assert [(each["key"], each["payer"], each["amount"]) for each in found["paid_not_booked"]] == [
        (stray_key, 7, 11)
    ]
    assert estate.outcome(unheard) == "booked"
    books_agree(bank.postgres)


def test_the_batch_compares_by_itself_and_tells(bank, eventually):
    estate = Estate(bank, party={"BANK_CLEARING_DECIDE_S": "1.5"})
    batch = estate.batch()
    estate.gateway.pay(estate.gateway.login(1))
    unknown = {"cell": "cell0", "agreement": "unknown"}
    eventually(lambda: batch.metric("bank_reconcile_payments", **unknown) == 1, 8, "it is unknown")
    eventually(lambda: batch.metric("bank_reconcile_payments", agreement="agreed") == 1, 15, "both agree")
    assert batch.metric("bank_reconcile_payments", **unknown) == 0
    assert batch.metric("bank_reconcile_seconds", cell="cell0") > 0
    assert batch.metric("bank_reconcile_oldest_unknown_seconds") == 0
    reconciled = batch.call("GET", "/batch").json["cells"][0]["reconciled"]
    assert sum(each["agreed"]["amount"] for each in reconciled) == 5


def test_a_party_that_is_killed_loses_nothing_that_it_confirmed(bank):
    print("seed 4")
    chance = random.Random(4)
    estate = Estate(bank)
    confirmed, over = [], threading.Event()

    def order(payer):
        while not over.is_set():
            key = new_key()
            body = {"origin": "cell9", "day": "2026-01-01", "payer": payer, "payee": "water", "amount": 1}
            try:
                if estate.party.call("POST", "/orders", {"key": key, **body}).status == 200:
                    confirmed.append(key)
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)  # not there, or cut off in the midst of an answer

    with ThreadPoolExecutor(3) as banks:
        for payer in range(1, 4):
            banks.submit(order, payer)
        for _ in range(5):
            time.sleep(chance.uniform(0.1, 0.4))
            estate.party.stop()
            estate.party.start()
        over.set()
    assert len(confirmed) > 20
    for key in confirmed:
        found = estate.party.call("GET", f"/orders?origin=cell9&key={key}").json
        assert (found["state"], found["paid"]) == ("confirmed", 1)


@pytest.mark.parametrize("seed", [11, 12])
def test_three_books_agree_when_everybody_is_killed_at_random(bank, eventually, books_agree, seed):
    print(f"seed {seed}")
    chance = random.Random(seed)
    shares = {"SILENT": "0.15", "REFUSE": "0.2", "ERROR": "0.1"}
    party = {f"BANK_CLEARING_{name}_SHARE": share for name, share in shares.items()}
    estate = Estate(bank, 2, party=party)
    victims = [*estate.ledgers, estate.party, estate.batch()]
    tokens = {customer: estate.gateway.login(customer) for customer in range(1, 5)}
    told, over = {customer: [] for customer in tokens}, threading.Event()

    def phone(customer):
        number = 0
        while not over.is_set():
            key, number = new_key(), number + 1
            while True:
                reply = estate.gateway.pay(tokens[customer], key, amount=number)
                if reply.status == 201:
                    told[customer].append((key, number))
                    break
                time.sleep(0.05)

    with ThreadPoolExecutor(len(tokens)) as phones:
        futures = [phones.submit(phone, customer) for customer in tokens]
        try:
            for _ in range(8):
                time.sleep(chance.uniform(0.1, 0.6))
                victim = chance.choice(victims)
                victim.stop()
                victim.start()
        finally:
            over.set()
        for future in futures:
            future.result()
    estate.behaves(silent_share=0, error_share=0)
    eventually(lambda: estate.open() == 0, 30, "every payment has ended")
    done = estate.reconcile("10")
    assert done.returncode == 0, done.stdout + done.stderr
    paid = estate.paid_out()
    intents = [intent for each in told.values() for intent in each]
    assert len(intents) > 20
    assert set(paid) <= {key for key, _ in intents}
    assert all(paid[key] in (0, amount) for key, amount in intents)
    assert {0, 1} <= {int(paid[key] > 0) for key, _ in intents}
    for customer, mine in told.items():
        assert estate.balance(customer) == OPENING - sum(paid[key] for key, _ in mine)
    books_agree(bank.postgres)
