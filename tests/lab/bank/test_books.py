"""The ledger on a real PostgreSQL: founding, double entry, idempotency, refusals."""

from __future__ import annotations

import random
import uuid
from concurrent.futures import ThreadPoolExecutor


def call_transfer(process, token, to, amount, key):
    return process.call("POST", "/v1/transfers", {"to": to, "amount": amount}, token=token, key=key)


def test_ledgers_that_start_together_found_one_bank(bank):
    ledgers = [bank.ledger(BANK_CUSTOMERS="10000"), bank.ledger(BANK_CUSTOMERS="10000")]
    assert bank.postgres.query("SELECT count(*), sum(balance) FROM account WHERE kind = 'customer'") == [
        (10000, 10000 * 100_000_000)
    ]
    assert bank.postgres.query("SELECT min(id), max(id) FROM account WHERE kind = 'clearing'") == [(-16, -1)]
    assert bank.postgres.query("SELECT count(*), max(customer) FROM device") == [(10000, 10000)]
    for each in ledgers:
        assert bank.gateway(each).login(10000)
    for each in ledgers:
        assert "already exists" not in each.log.read_text()


def test_a_ledger_with_more_customers_adds_the_missing_ones(bank, eventually):
    bank.ledger(BANK_CUSTOMERS="10")
    bank.ledger(BANK_CUSTOMERS="30")
    counted = "SELECT count(*) FROM customer"
    eventually(lambda: bank.postgres.query(counted) == [(30,)], 10, "20 were added")


def test_a_retry_is_answered_again_and_booked_once(bank):
    gateway = bank.gateway(bank.ledger())
    token, key = gateway.login(1), str(uuid.uuid4())
    first = call_transfer(gateway, token, 2, 700, key)
    assert (first.status, first.json["repeated"], first.json["key"]) == (201, False, key)
    call_transfer(gateway, token, 3, 5, str(uuid.uuid4()))
    again = call_transfer(gateway, token, 2, 700, key)
    # The balance told is the one of then, not of now.
    assert again.status == 201
    assert again.json == {**first.json, "repeated": True}
    assert gateway.call("GET", "/v1/balance", token=token).json == {"account": 1, "balance": 99_999_295}
    assert gateway.call("GET", "/v1/balance", token=gateway.login(2)).json["balance"] == 100_000_700
    entries = gateway.call("GET", "/v1/bills", token=token).json["entries"]
    assert [each["amount"] for each in entries] == [-5, -700]
    for other in (
        call_transfer(gateway, token, 2, 701, key),
        call_transfer(gateway, gateway.login(4), 2, 700, key),
    ):
        assert (other.status, other.json["error"], other.json["reason"]) == (409, "conflict", "key_reused")


def test_a_payment_to_another_payee_is_other_content(bank):
    gateway = bank.gateway(bank.ledger())
    token, key = gateway.login(1), str(uuid.uuid4())
    # Found by trial: two payees that share a clearing account, so nothing but the name tells them apart.
    for payee, status in (("payee-0", 201), ("payee-0", 201), ("payee-6", 409)):
        body = {"payee": payee, "amount": 3}
        assert gateway.call("POST", "/v1/payments", body, token=token, key=key).status == status
    used = bank.postgres.query("SELECT account FROM entry WHERE amount > 0")
    assert len(used) == 1
    assert -16 <= used[0][0] <= -1


def test_refusals_change_nothing(bank):
    gateway = bank.gateway(bank.ledger())
    token, key = gateway.login(1), str(uuid.uuid4())
    refused = [
        (call_transfer(gateway, token, 2, 100_000_001, key), 422, "insufficient_funds"),
        (call_transfer(gateway, token, 999_999, 1, key), 422, "unknown_account"),
    ]
    for reply, status, reason in refused:
        assert (reply.status, reply.json["reason"]) == (status, reason)
    bad = [
        (call_transfer(gateway, token, 1, 5, key), "same_account"),
        (call_transfer(gateway, token, -3, 5, key), "account"),
        (call_transfer(gateway, token, 2, 0, key), "amount_range"),
        (call_transfer(gateway, token, 2, -5, key), "amount_range"),
        (call_transfer(gateway, token, 2, True, key), "field_type"),
        (call_transfer(gateway, token, 2, 1.5, key), "field_type"),
        (call_transfer(gateway, token, 2, 10**30, key), "amount_range"),
        (call_transfer(gateway, token, 10**30, 5, key), "account"),
        (call_transfer(gateway, token, 2, 5, "no-uuid"), "idempotency_key"),
        (call_transfer(gateway, token, 2, 5, None), "idempotency_key"),
        (gateway.call("POST", "/v1/transfers", b"{", token=token, key=key), "body"),
        (gateway.call("POST", "/v1/transfers", b"[1]", token=token, key=key), "body"),
        (
            gateway.call("POST", "/v1/transfers", {"to": 2, "amount": 5, "x": 1}, token=token, key=key),
            "unknown_field",
        ),
        (
            gateway.call("POST", "/v1/payments", {"payee": "a\x00", "amount": 5}, token=token, key=key),
            "text",
        ),
        (
            gateway.call("POST", "/v1/payments", b'{"payee": "\\ud800", "amount": 5}', token=token, key=key),
            "field_type",
        ),
    ]
    for reply, reason in bad:
        assert (reply.status, reply.json["error"], reply.json["reason"]) == (400, "bad_request", reason)
    assert bank.postgres.query("SELECT count(*) FROM movement") == [(0,)]
    # The key was not used up by any of that.
    assert call_transfer(gateway, token, 2, 5, key).status == 201


def test_more_than_the_limit_is_refused_unless_it_was_booked_when_the_limit_was_another(bank):
    before = bank.gateway(bank.ledger())
    gateway = bank.gateway(bank.ledger(BANK_TRANSFER_LIMIT="1000"))
    token, key = gateway.login(1), str(uuid.uuid4())
    assert call_transfer(gateway, token, 2, 1000, str(uuid.uuid4())).status == 201
    for reply in (call_transfer(gateway, token, 2, 1001, key), gateway.pay(token, key, amount=1001)):
        assert (reply.status, reply.json) == (422, {"error": "refused", "reason": "over_limit", "most": 1000})
    assert call_transfer(before, token, 2, 1001, key).json["repeated"] is False
    again = call_transfer(gateway, token, 2, 1001, key)
    assert (again.status, again.json["repeated"]) == (201, True)
    assert bank.postgres.query("SELECT amount FROM movement ORDER BY 1") == [(1000,), (1001,)]


def test_the_only_currency_may_be_said(bank):
    gateway = bank.gateway(bank.ledger())
    token = gateway.login(1)
    for path, fields in (("/v1/transfers", {"to": 2}), ("/v1/payments", {"payee": "water"})):
        key = str(uuid.uuid4())
        said = {**fields, "amount": 5, "currency": "CNY"}
        replies = [
            gateway.call("POST", path, body, token=token, key=key) for body in (said, {**fields, "amount": 5})
        ]
        assert [(each.status, each.json["repeated"]) for each in replies] == [(201, False), (201, True)]


def test_whoever_is_no_customer_learns_nothing(bank):
    gateway = bank.gateway(bank.ledger())
    for fields in (
        {"customer": 1, "password": "pw-2"},
        {"customer": 10**6, "password": "x"},
        {"customer": -1, "password": ""},
    ):
        reply = gateway.call("POST", "/v1/login", {"device": "d", **fields})
        assert (reply.status, reply.json) == (401, {"error": "unauthorized", "reason": "credentials"})
    token = gateway.login(1)
    for wrong in (
        None,
        "",
        token[:-1],
        token.replace("s1.1.", "s1.2."),
        "s1.1.9999999999." + "0" * 64,
        "\xff.\xfe",
    ):
        assert gateway.call("GET", "/v1/balance", token=wrong).status == 401
    assert gateway.call("GET", "/v1/nothing").status == 404
    assert gateway.call("DELETE", "/v1/balance", token=token).status == 405


def test_money_is_conserved_when_everybody_pays_everybody_and_retries(bank, at_once, books_agree):
    ledgers = [bank.ledger(), bank.ledger()]
    gateways = [bank.gateway(*ledgers), bank.gateway(*ledgers)]
    tokens = {customer: gateways[0].login(customer) for customer in range(1, 6)}
    chance = random.Random(7)
    wanted = []
    for _ in range(60):
        customer, to = chance.sample(sorted(tokens), 2)
        wanted.append((tokens[customer], to, chance.randrange(1, 1000), str(uuid.uuid4())))
    attempts = chance.sample(wanted * 2, 120)
    for some in (attempts[i : i + 20] for i in range(0, 120, 20)):
        calls = [lambda each=each: call_transfer(chance.choice(gateways), *each) for each in some]
        assert {reply.status for reply in at_once(calls)} == {201}
    assert bank.postgres.query("SELECT count(*), count(DISTINCT key) FROM movement") == [(60, 60)]
    books_agree(bank.postgres)


def test_two_customers_who_pay_each_other_at_once_do_not_deadlock(bank, eventually):
    gateway = bank.gateway(bank.ledger())
    one, two = gateway.login(1), gateway.login(2)
    waiting = """SELECT count(*) FROM pg_stat_activity
                 WHERE application_name = 'stormbank-ledger' AND wait_event_type = 'Lock'"""

    def wait_for(count):
        eventually(lambda: bank.postgres.query(waiting) == [(count,)], 3, f"{count} payments wait")

    with bank.postgres.connection() as holder, ThreadPoolExecutor(2) as phones:
        holder.execute("BEGIN; SELECT FROM account WHERE id = 1 FOR UPDATE")
        # The first is next in line for account 1. Did the second begin with its payer, it held account 2.
        first = phones.submit(call_transfer, gateway, one, 2, 5, str(uuid.uuid4()))
        wait_for(1)
        second = phones.submit(call_transfer, gateway, two, 1, 5, str(uuid.uuid4()))
        wait_for(2)
        holder.execute("ROLLBACK")
        assert (first.result().status, second.result().status) == (201, 201)


def test_without_idempotency_a_retry_books_twice(bank, books_agree):
    gateway = bank.gateway(bank.ledger(BANK_IDEMPOTENCY="off"))
    token, key = gateway.login(1), str(uuid.uuid4())
    replies = [gateway.pay(token, key), gateway.pay(token, key)]
    assert [each.json["repeated"] for each in replies] == [False, False]
    assert bank.postgres.query("SELECT count(*), count(DISTINCT key) FROM movement") == [(2, 1)]
    books_agree(bank.postgres)
