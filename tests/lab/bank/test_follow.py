"""Gateways and ledgers that follow the map: re-maps, promotions, two cells, and a gateway that was frozen."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest


def epoch_at(process, cell="cell0"):
    if process.role == "ledger":
        reply = process.call("GET", "/cell")
        found = reply.json if reply.status == 200 else None
    else:
        found = process.call("GET", "/cells").json["cells"][cell]
    return found and (found["promotion"], found["version"])


def test_every_gateway_follows_a_remap_within_a_second(bank, eventually):
    ledgers = [bank.ledger(BANK_ZONE="city1-a"), bank.ledger()]
    gateways = [bank.gateway(*ledgers), bank.gateway(ledgers[1])]
    token = gateways[0].login()
    assert [epoch_at(each) for each in (*ledgers, *gateways)] == [(1, 0)] * 4
    took_s = []
    for version in range(1, 4):
        assert bank.postgres.query("SELECT version FROM bank_remap('city1-b')") == [(version,)]
        changed_s = time.monotonic()
        eventually(lambda v=version: [epoch_at(each) for each in gateways] == [(1, v)] * 2, 3, "both follow")
        took_s.append(time.monotonic() - changed_s)
    assert max(took_s) < 1.0
    assert gateways[0].pay(token).status == 201
    assert gateways[0].call("GET", "/cells").json["cells"]["cell0"]["home"] == "city1-b"
    for each in (*gateways, ledgers[1]):
        assert each.metric("bank_cell_promotion", cell="cell0") == 1
        assert each.metric("bank_cell_version", cell="cell0") == 3


def test_a_write_of_the_old_epoch_is_refused_looked_up_and_left_to_the_phone(bank, eventually):
    ledger = bank.ledger()
    gateway = bank.gateway(ledger)
    token, key = gateway.login(), str(uuid.uuid4())
    with gateway.frozen():
        bank.postgres.query("SELECT bank_remap('city1-b')")
    refusals = []
    until_s = time.monotonic() + 2
    while (reply := gateway.pay(token, key)).status != 201:
        refusals.append(reply)
        assert time.monotonic() < until_s
    for each in refusals:
        assert (each.status, each.json["reason"], each.json["outcome"]) == (503, "stale_epoch", "none")
        assert each.headers["Retry-After"] == "1"
    assert ledger.metric("bank_stale_epoch_total", cell="cell0") == len(refusals)
    assert reply.json["repeated"] is False
    assert bank.postgres.query("SELECT version FROM movement") == [(1,)]


def test_a_ledger_takes_only_the_epoch_it_is_told_to_the_books(bank):
    ledger = bank.ledger()
    token = bank.gateway(ledger).login()
    connection = http.client.HTTPConnection("127.0.0.1", ledger.port, timeout=5)

    def ask(path, body, **headers):
        sent = {
            "Authorization": f"Bearer {token}",
            "Idempotency-Key": str(uuid.uuid4()),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        connection.request("POST", path, json.dumps(body), sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    with contextlib.closing(connection):
        payment, check_in = {"payee": "x", "amount": 1}, {"place": "gate"}
        for path, body in (("/v1/payments", payment), ("/internal/checkins", check_in)):
            for headers in ({}, {"Bank_Epoch": "0.0"}, {"Bank_Epoch": "2.0"}, {"Bank_Epoch": "1.1"}):
                status, fields = ask(path, body, **headers)
                assert (status, fields["reason"], fields["outcome"]) == (503, "stale_epoch", "none"), headers
            for nonsense in ("1", "1.0.0", "-1.0", "1.x", "9" * 30 + ".0"):
                assert ask(path, body, Bank_Epoch=nonsense)[0] == 400
            assert ask(path, body, Bank_Epoch="1.0", Bank_Cell="cell1")[0] == 421
            assert ask(path, body, Bank_Epoch="1.0", Bank_Cell="cell0")[0] == 201
    assert ledger.metric("bank_stale_epoch_total") == 8
    assert bank.postgres.query("SELECT count(*) FROM movement") == [(1,)]


def test_a_promotion_raises_the_epoch_by_itself(bank, standby, eventually, books_agree):
    both = f"postgresql://bank@127.0.0.1:{bank.postgres.port},127.0.0.1:{standby.port}/bank"
    ledgers = [bank.ledger(both), bank.ledger(both)]
    gateway = bank.gateway(*ledgers)
    token = gateway.login()
    bank.postgres.setting("synchronous_standby_names", "*")
    try:
        assert gateway.pay(token).status == 201
        bank.postgres.kill()
        assert gateway.pay(token).status == 503
        standby.promote()
        promoted_s = time.monotonic()
        eventually(lambda: gateway.pay(token).status == 201, 5, "payments work on the new primary")
        assert time.monotonic() - promoted_s < 1.5
        eventually(lambda: [epoch_at(each) for each in ledgers] == [(2, 0)] * 2, 3, "both ledgers are there")
        assert epoch_at(gateway) == (2, 0)
        assert standby.query("SELECT DISTINCT promotion FROM movement ORDER BY 1") == [(1,), (2,)]
        books_agree(standby)
    finally:
        whole_again(bank.postgres)


def test_a_database_that_comes_back_from_the_past_is_not_written_to(bank, standby, eventually):
    """A returned region: its ledger finds its primary again, as writable as ever, and knows no better."""
    ahead = bank.ledger(bank.dsn(standby))
    behind = bank.ledger()
    gateway = bank.gateway(ahead, behind)
    token = gateway.login()
    bank.postgres.setting("synchronous_standby_names", "*")
    try:
        assert gateway.pay(token).status == 201
        bank.postgres.kill()
        standby.promote()
        eventually(lambda: epoch_at(gateway) == (2, 0), 5, "the gateway follows the promotion")
        bank.postgres.start()
        bank.postgres.setting("synchronous_standby_names", "")
        eventually(lambda: epoch_at(behind) == (1, 0), 5, "the ledger of the past is back")
        replies = [gateway.pay(token) for _ in range(20)]
        assert {each.status for each in replies} == {201, 503}
        assert {each.json["reason"] for each in replies if each.status == 503} == {"stale_epoch"}
        assert epoch_at(gateway) == (2, 0), "it is not led back"
        assert bank.postgres.query("SELECT count(*) FROM movement") == [(1,)]
        booked = sum(each.status == 201 for each in replies)
        assert standby.query("SELECT count(*) FROM movement WHERE promotion = 2") == [(booked,)]
        assert behind.metric("bank_stale_epoch_total") == 20 - booked
        # It shows nothing either, and lets nobody in by a password that may be no more.
        left = standby.query("SELECT balance FROM account WHERE id = 1")[0][0]
        login = {"customer": 1, "device": "device-1", "password": "pw-1"}
        for method, path, body, shown in (
            ("GET", "/v1/balance", None, {"account": 1, "balance": left}),
            ("GET", "/v1/bills", None, None),
            ("POST", "/v1/login", login, None),
        ):
            replies = [
                gateway.call(method, path, body, token=(body is None and token) or None) for _ in range(20)
            ]
            assert {each.status for each in replies} == {200, 503}, path
            refused = [each for each in replies if each.status == 503]
            assert {each.json["reason"] for each in refused} == {"stale_epoch"}
            assert {each.headers["Retry-After"] for each in refused} == {"1"}
            good = [each.json for each in replies if each.status == 200]
            assert shown is None or all(each == shown for each in good)
    finally:
        whole_again(bank.postgres)


def whole_again(postgres):
    if postgres.process is None:
        postgres.start()
    postgres.setting("synchronous_standby_names", "")


def test_a_request_that_a_ledger_holds_across_a_remap_is_not_booked(bank, fast, eventually):
    ledger = bank.ledger(BANK_SERVICE_MS=fast(payment=800))
    gateway = bank.gateway(ledger)
    token = gateway.login()
    with ThreadPoolExecutor(1) as phone:
        payment = phone.submit(gateway.pay, token)
        eventually(lambda: ledger.metric("bank_slots_busy") == 1, 3, "it is in its slot")
        bank.postgres.query("SELECT bank_remap('city1-b')")
        assert (payment.result().status, payment.result().json["reason"]) == (503, "stale_epoch")
    assert bank.postgres.query("SELECT count(*) FROM movement") == [(0,)]
    eventually(lambda: epoch_at(gateway) == (1, 1), 1, "the gateway has followed")
    assert gateway.pay(token).status == 201


def test_remaps_under_load_lose_nothing_and_hurt_few(bank, books_agree):
    """Phones that repeat what is refused, with the same key, at two gateways that learn of it by themselves."""
    ledgers = [bank.ledger(), bank.ledger()]
    # Without a limit of rate: how many payments two phones make in a second is the machine's matter.
    unlimited = {"BANK_RATE": "other=100000"}
    gateways = [bank.gateway(*ledgers, **unlimited), bank.gateway(*ledgers, **unlimited)]
    over, remaps = threading.Event(), 8

    def phone(number):
        gateway = gateways[number % 2]
        token, paid, refused = gateway.login(number + 1), [], 0
        while not over.is_set():
            key = str(uuid.uuid4())
            while (reply := gateway.pay(token, key)).status != 201:
                assert (reply.status, reply.json["reason"]) == (503, "stale_epoch"), reply.body
                refused += 1
                time.sleep(0.01)  # a phone that is refused does not ask as fast as it can
            paid.append(key)
        return paid, refused

    with ThreadPoolExecutor(4) as pool:
        phones = [pool.submit(phone, number) for number in range(4)]
        for _ in range(remaps):
            time.sleep(0.2)
            assert bank.postgres.query("SELECT bank_remap('city1-b')")
        time.sleep(0.2)
        over.set()
        done = [each.result() for each in phones]
    paid = sorted(key for keys, _ in done for key in keys)
    assert bank.postgres.query("SELECT key::text FROM movement ORDER BY 1") == [(key,) for key in paid]
    # Each phone asks again after a short pause, until its gateway has looked.
    assert sum(refused for _, refused in done) < remaps * 40
    assert bank.postgres.query("SELECT count(DISTINCT version) > 4, max(version) FROM movement") == [
        (True, 8)
    ]
    books_agree(bank.postgres)


def test_a_remap_during_a_failover_lands_on_the_new_primary(bank, standby):
    bank.ledger().stop()
    both = f"postgresql://bank@127.0.0.1:{bank.postgres.port},127.0.0.1:{standby.port}/bank"
    reached = (
        f"SELECT pg_last_wal_replay_lsn() >= '{bank.postgres.query('SELECT pg_current_wal_lsn()')[0][0]}'"
    )
    until_s = time.monotonic() + 10
    while standby.query(reached, database="postgres") != [(True,)]:
        assert time.monotonic() < until_s
    bank.postgres.kill()
    try:
        with ThreadPoolExecutor(1) as operator:
            remap = operator.submit(bank.remap, "city1-b", "--timeout", "20", BANK_DB_DSN=both)
            assert not remap.done()
            standby.promote()
            assert remap.result().returncode == 0, remap.result().stderr
            told = json.loads(remap.result().stdout)
        assert (told["promotion"], told["version"], told["home"]) == (2, 1, "city1-b")
    finally:
        whole_again(bank.postgres)


@pytest.fixture
def cells(bank, urls):
    """Two cells with a database each, one ledger each, and a gateway over both."""
    bank.postgres.query("DROP DATABASE IF EXISTS bank_1 WITH (FORCE)", database="postgres")
    bank.postgres.query("CREATE DATABASE bank_1", database="postgres")
    two = {"BANK_CELLS": "cell0,cell1"}
    even = bank.ledger(BANK_CELL="cell0", **two)
    odd = bank.ledger(bank.dsn(database="bank_1"), BANK_CELL="cell1", BANK_HOME="city1-b", **two)
    gateway = bank.gateway(**two, BANK_LEDGERS=f"cell0={urls(even)},cell1={urls(odd)}")
    yield gateway, even, odd
    for each in bank.started:
        each.stop()
    bank.postgres.query("DROP DATABASE bank_1 WITH (FORCE)", database="postgres")


def test_each_cell_has_its_own_customers_books_and_epoch(bank, cells, eventually):
    gateway, even, odd = cells
    halves = {
        database: bank.postgres.query("SELECT count(*), min(id), max(id) FROM customer", database=database)[0]
        for database in ("bank", "bank_1")
    }
    assert halves == {"bank": (100, 2, 200), "bank_1": (100, 1, 199)}
    clearing = "SELECT count(*) FROM account WHERE kind = 'clearing'"
    assert [bank.postgres.query(clearing, database=each) for each in halves] == [[(16,)]] * 2
    tokens = {customer: gateway.login(customer) for customer in (1, 2, 3, 4)}
    for customer, token in tokens.items():
        assert gateway.pay(token).status == 201
        for to, status in ((customer + 2, 201), (customer + 1, 422)):
            body = {"to": to, "amount": 1}
            reply = gateway.call("POST", "/v1/transfers", body, token=token, key=str(uuid.uuid4()))
            assert reply.status == status
        assert reply.json["reason"] == "unknown_account", "these ledgers know of no other cell"
    moved = "SELECT from_account % 2, count(*) FROM movement GROUP BY 1"
    assert bank.postgres.query(moved) == [(0, 4)]
    assert bank.postgres.query(moved, database="bank_1") == [(1, 4)]
    assert even.metric("bank_movements_total", cell="cell0") == 4
    assert odd.metric("bank_movements_total", cell="cell1") == 4
    # One cell's change is none of the other's.
    bank.postgres.query("SELECT bank_remap('city1-a')", database="bank_1")
    eventually(lambda: epoch_at(gateway, "cell1") == (1, 1), 1, "the gateway follows the one")
    shown = gateway.call("GET", "/cells").json["cells"]
    assert [(shown[each]["version"], shown[each]["home"]) for each in ("cell0", "cell1")] == [
        (0, "none"),
        (1, "city1-a"),
    ]
    assert [gateway.pay(token).status for token in tokens.values()] == [201] * 4


def test_a_lost_cell_is_no_reason_to_turn_away_the_others_customers(bank, cells):
    gateway, even, odd = cells
    tokens = {customer: gateway.login(customer) for customer in (1, 2)}
    odd.stop()
    assert gateway.pay(tokens[1]).status == 503
    assert gateway.pay(tokens[2]).status == 201
    assert gateway.call("GET", "/servez").status == 200
    even.stop()
    assert gateway.call("GET", "/servez").status == 503


def test_another_cells_customer_is_refused_by_number_and_by_header(bank, cells):
    gateway, even, odd = cells
    tokens = {customer: gateway.login(customer) for customer in (1, 2)}
    assert even.call("GET", "/v1/balance", token=tokens[1]).status == 421
    assert odd.call("GET", "/v1/balance", token=tokens[1]).status == 200
    word = bank.word(1)
    asked = ("POST", "/internal/credentials", {"device": ""})
    assert even.call(*asked, headers=word).json["error"] == "misrouted"
    assert odd.call(*asked, headers=word).status == 200
    fields = {"device": "d", "customer": 1, "password": "pw-1"}
    for nobody in ({}, [], {"customer": "1"}, {"customer": True}, {"customer": 1.0}):
        assert gateway.call("POST", "/v1/login", nobody).status == 400
    for unknown in (-1, 0, 10**6 + 1):
        assert gateway.call("POST", "/v1/login", {**fields, "customer": unknown}).status == 401
