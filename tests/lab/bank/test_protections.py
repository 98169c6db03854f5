"""Each protection of the gateway on and off, with real processes: on, it holds; off, the harm appears."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

ONE_SLOT_MS = 100
PATIENCE_MS = 800


def off(*mechanisms: str) -> dict[str, str]:
    return {"BANK_FLOW_OFF": ",".join(mechanisms) or "none"}


def balance(gateway, token, deadline_ms=3000):
    return gateway.call("GET", "/v1/balance", token=token, deadline_ms=deadline_ms)


def bills(gateway, token):
    return gateway.call("GET", "/v1/bills", token=token)


def impatient(gateway, token, until_s, answers):
    """Ask again and again as one phone: what takes longer than its patience is no answer to it."""
    while time.monotonic() < until_s:
        reply = balance(gateway, token, PATIENCE_MS)
        late = reply.took_s > PATIENCE_MS / 1000
        answers.append((time.monotonic(), "late" if late else reply.status, reply.took_s))
        if reply.status != 200:
            time.sleep(0.4)


@pytest.mark.parametrize(
    ("switched", "holds"),
    [((), True), (("queue", "deadline"), True), (("adaptive", "deadline"), True),
     (("adaptive", "queue", "deadline"), False)],
)  # fmt: skip
def test_goodput_in_a_surge(bank, fast, switched, holds):
    """Thirty phones without patience, on capacity for sixteen of them within it."""
    ledger = bank.ledger(BANK_SLOTS="2", BANK_SERVICE_MS=fast(balance=ONE_SLOT_MS))
    limits = {"BANK_LIMIT": "200", "BANK_ADAPTIVE": "low=3,queued=2", "BANK_QUEUE_MS": "200"}
    gateway = bank.gateway(ledger, **limits, **off(*switched, "fairness"))
    tokens = [gateway.login(customer) for customer in range(1, 31)]
    answers: list[tuple[float, object, float]] = []
    start_s = time.monotonic()
    over = []
    with ThreadPoolExecutor(30) as phones:
        for token in tokens:
            phones.submit(impatient, gateway, token, start_s + 7.0, answers)
        while time.monotonic() < start_s + 7.0:
            over.append(gateway.metric("bank_admission_highwater") - gateway.metric("bank_admission_limit"))
            time.sleep(0.2)
    counted = [(what, took_s) for at_s, what, took_s in answers if start_s + 2.0 <= at_s < start_s + 7.0]
    good = sum(what == 200 for what, _ in counted)
    capacity = 2 / (ONE_SLOT_MS / 1000) * 5.0
    assert max(over) <= 0
    if holds:
        assert good >= 0.6 * capacity
        refused = sorted(took_s for what, took_s in counted if what == 429)
        assert refused[len(refused) // 2] < 0.1
    else:
        assert good < 0.3 * capacity


def test_without_the_bucket_an_operation_takes_what_it_likes(bank):
    for switched, refused in (((), True), (("bucket",), False)):
        gateway = bank.gateway(bank.ledger(), BANK_RATE="other=4", **off(*switched))
        token = gateway.login()
        replies = [balance(gateway, token) for _ in range(8)]
        reasons = {each.json.get("reason") for each in replies if each.status == 429}
        assert reasons == ({"rate"} if refused else set())


def test_without_order_the_least_important_fills_the_room(bank, fast, eventually):
    for switched, paid in (((), 201), (("order",), 429)):
        ledger = bank.ledger(BANK_SLOTS="20", BANK_SERVICE_MS=fast(bills=1500))
        gateway = bank.gateway(ledger, BANK_LIMIT="10", **off("adaptive", *switched))
        token = gateway.login()
        with ThreadPoolExecutor(14) as phones:
            surge = [phones.submit(bills, gateway, token) for _ in range(14)]
            full = lambda gateway=gateway: gateway.metric("bank_shed_total", operation="bills") >= 2  # noqa: E731
            eventually(full, 3, "the room is full of them")
            assert gateway.pay(token).status == paid
        assert {each.result().status for each in surge} == {200, 429}


def test_without_confirmations_first_nobody_learns_what_became_of_money_while_more_is_moved(
    bank, fast, eventually
):
    for switched, told in (((), (200, "booked")), (("confirm-first",), (429, None))):
        ledger = bank.ledger(BANK_SLOTS="20", BANK_SERVICE_MS=fast(payment=1500))
        share = {"BANK_LIMIT": "10", "BANK_CONFIRM_SHARE": "0.2"}
        gateway = bank.gateway(ledger, **share, **off("adaptive", *switched))
        token, key = gateway.login(), str(uuid.uuid4())
        sent = gateway.call("POST", "/v1/transfers", {"to": 2, "amount": 5}, token=token, key=key)
        assert sent.status == 201
        with ThreadPoolExecutor(14) as phones:
            surge = [phones.submit(gateway.pay, token) for _ in range(14)]
            full = lambda gateway=gateway: gateway.metric("bank_shed_total", operation="payment") >= 4  # noqa: E731
            eventually(full, 3, "the room is full of new money")
            reply = gateway.call("GET", f"/v1/movements?key={key}", token=token)
        assert (reply.status, reply.json.get("state")) == told
        assert {each.result().status for each in surge} == {201, 429}


def test_without_fairness_one_customer_shuts_others_out(bank, fast):
    shares = {}
    for switched in ((), ("fairness",)):
        ledger = bank.ledger(BANK_SLOTS="6", BANK_SERVICE_MS=fast(balance=100))
        gateway = bank.gateway(ledger, BANK_LIMIT="6", **off("adaptive", "queue", *switched))
        greedy, other = gateway.login(1), gateway.login(2)
        end_s = time.monotonic() + 3.0

        def greed(gateway=gateway, greedy=greedy, end_s=end_s):
            while time.monotonic() < end_s:
                balance(gateway, greedy)

        with ThreadPoolExecutor(14) as phones:
            for _ in range(12):
                phones.submit(greed)
            time.sleep(0.5)
            replies = []
            while time.monotonic() < end_s - 0.2:
                replies.append(balance(gateway, other).status)
                time.sleep(0.05)
        shares[switched] = replies.count(200) / len(replies)
        sheds = gateway.metric("bank_shed_total", reason="customer")
        assert sheds == 0 if switched else sheds > 0
    assert shares[()] > 0.8
    assert shares["fairness",] < 0.6


def test_without_deadlines_work_is_done_for_phones_that_have_gone(bank, fast):
    for switched, expired, booked in (((), (408, "deadline"), 0), (("deadline",), (201, None), 2)):
        ledger = bank.ledger(BANK_SERVICE_MS=fast(payment=300))
        gateway = bank.gateway(ledger, **off(*switched))
        token = gateway.login()
        before = bank.postgres.query("SELECT count(*) FROM movement")[0][0]
        reply = gateway.pay(token, deadline_ms=0)
        assert (reply.status, reply.json.get("reason")) == expired
        reply = gateway.pay(token, deadline_ms=200)
        assert reply.status == (504 if booked == 0 else 201)
        assert bank.postgres.query("SELECT count(*) FROM movement")[0][0] - before == booked


def test_without_bulkheads_a_cell_that_hangs_takes_the_room_of_another(bank, urls, eventually):
    two = {"BANK_CELLS": "cell0,cell1"}
    bank.postgres.query("CREATE DATABASE bank1", database="postgres")
    try:
        with ExitStack() as stack:
            even = bank.ledger(BANK_CELL="cell0", **two)
            odd = bank.ledger(bank.dsn(database="bank1"), BANK_CELL="cell1", **two)
            ledgers = f"cell0={urls(even)},cell1={urls(odd)}"
            gateways = [
                bank.gateway(
                    **two, BANK_LEDGERS=ledgers, BANK_LIMIT="6", **off("breaker", "fairness", *switched)
                )
                for switched in ((), ("bulkhead",))
            ]
            tokens = [(gateway.login(2), gateway.login(1)) for gateway in gateways]
            phones = stack.enter_context(ThreadPoolExecutor(16))
            with even.frozen():
                hung = [
                    phones.submit(gateway.pay, hangs, deadline_ms=2500)
                    for gateway, (hangs, _) in zip(gateways, tokens, strict=True)
                    for _ in range(8)
                ]
                for gateway in gateways:
                    full = lambda gateway=gateway: gateway.metric("bank_shed_total", reason="overload") >= 3  # noqa: E731
                    eventually(full, 3, "there is no more room")
                replies = [
                    [balance(gateway, served).status for _ in range(5)]
                    for gateway, (_, served) in zip(gateways, tokens, strict=True)
                ]
                # As long as it is held still: its requests are not to be answered in between.
                statuses = Counter(each.result().status for each in hung)
            assert replies == [[200] * 5, [429] * 5]
            assert set(statuses) <= {429, 504}
            assert gateways[0].metric("bank_dependency_highwater", dependency="ledger-cell0") >= 5
    finally:
        for each in bank.started:
            each.stop()
        bank.postgres.query("DROP DATABASE bank1 WITH (FORCE)", database="postgres")


def test_without_the_breaker_everybody_waits_for_the_one_that_hangs(bank, eventually):
    ledger = bank.ledger()
    rules = {"BANK_BREAKER": "calls=5,slow_ms=150,pause_ms=500"}
    guarded, bare = bank.gateway(ledger, **rules), bank.gateway(ledger, **rules, **off("breaker"))
    token = guarded.login()
    with ledger.frozen():
        for _ in range(6):
            balance(bare, token, 250)
        waited = balance(bare, token, 250)
        for _ in range(6):
            balance(guarded, token, 250)
        refused = balance(guarded, token, 250)
        assert (refused.status, refused.json["reason"]) == (503, "breaker")
        assert refused.json["dependency"] == "ledger-cell0"
        assert refused.headers["Retry-After"] == "1"
        assert refused.took_s < 0.1
        assert guarded.metric("bank_breaker_state", dependency="ledger-cell0") >= 1
        assert waited.status == 504
        assert waited.took_s > 0.2
    eventually(lambda: balance(guarded, token).status == 200, 5, "it asks again by itself")
    assert guarded.metric("bank_breaker_state", dependency="ledger-cell0") == 0
    assert guarded.metric("bank_dependency_calls_total", outcome="breaker") >= 1


def test_without_a_retry_budget_each_request_is_repeated_to_the_end(bank):
    ledger = bank.ledger()
    few = {"BANK_RETRY": "share=0.1,floor_per_s=0.3,ttl_s=10"}
    guarded = bank.gateway(ledger, **few, **off("breaker"))
    bare = bank.gateway(ledger, **few, **off("breaker", "retry-budget"))
    token = guarded.login()
    ledger.stop()
    for gateway in (guarded, bare):
        replies = [balance(gateway, token) for _ in range(10)]
        assert {each.status for each in replies} == {503}
    assert guarded.metric("bank_retries_total", outcome="spent") <= 4
    assert guarded.metric("bank_retries_total", outcome="refused") >= 8
    assert replies[-1].json["reason"] == "ledger"
    assert balance(guarded, token).json["reason"] == "retry_budget"
    assert bare.metric("bank_retries_total", outcome="spent") == 40


def test_phones_are_not_told_of_queues_and_gateways_are(bank):
    ledger = bank.ledger()
    gateway = bank.gateway(ledger)
    token = gateway.login()
    assert float(balance(ledger, token).headers["Bank-Queue-Ms"]) >= 0
    assert "Bank-Queue-Ms" not in balance(gateway, token).headers
