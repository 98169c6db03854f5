"""Each service over a real ledger: what it answers, what it writes, and that nonsense writes nothing."""

from __future__ import annotations

import json
import uuid

import pytest

from stormbank.operations import BY_NAME, OPERATIONS, addresses_of

DESKS = ("risk", "wealth", "voice", "campus", "marketing")
WRITTEN = "SELECT (SELECT count(*) FROM movement), (SELECT count(*) FROM checkin)"


@pytest.fixture
def whole(bank):
    """Return a gateway over a ledger and every service."""
    ledger = bank.ledger()
    services = [bank.service(role, *([ledger] if role in ("wealth", "campus") else [])) for role in DESKS]
    return bank.gateway(ledger, services=services, BANK_RISK="on")


def order(gateway, token, product="bonds", amount=5_000, key=None):
    body = {"product": product, "amount": amount}
    return gateway.call("POST", "/v1/wealth/orders", body, token=token, key=key or str(uuid.uuid4()))


def test_products_and_advice(whole):
    token = whole.login(3)
    products = whole.call("GET", "/v1/wealth/products", token=token)
    assert products.status == 200
    assert {each["id"] for each in products.json["products"]} >= {"bonds", "money-market"}
    advice = whole.call("GET", "/v1/wealth/advice", token=token).json
    assert (advice["profile"], sum(advice["shares"].values())) == (4, 100)


def test_an_order_is_one_movement_however_often_it_is_sent(bank, whole, books_agree):
    token, key = whole.login(), str(uuid.uuid4())
    first, again = order(whole, token, key=key), order(whole, token, key=key)
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json | {"repeated": False}
    assert (first.json["order"], first.json["key"], first.json["product"]) == (key, key, "bonds")
    assert first.json["balance"] == 100_000_000 - 5_000
    assert again.json["repeated"] is True
    booked = bank.postgres.query("SELECT key::text, from_account, amount, payee FROM movement")
    assert booked == [(key, 1, 5_000, "fund bonds")]
    other = order(whole, token, "index", key=key)
    assert (other.status, other.json["reason"]) == (409, "key_reused")
    books_agree(bank.postgres)


def test_an_order_that_cannot_be(bank, whole):
    token = whole.login()
    for refused, reason in (
        (order(whole, token, "tulips"), "unknown_product"),
        (order(whole, token, "bonds", 999), "below_least_amount"),
        (order(whole, token, "bonds", 100_000_001), "insufficient_funds"),
    ):
        assert (refused.status, refused.json["error"], refused.json["reason"]) == (422, "refused", reason)
    assert bank.postgres.query(WRITTEN) == [(0, 0)]


def test_voice_knows_what_is_meant_and_moves_nothing(bank, whole):
    token = whole.login()
    said = whole.call("POST", "/v1/voice", {"text": "transfer 100 to 2"}, token=token)
    assert (said.status, said.json["intent"]) == (200, "transfer")
    assert whole.call("POST", "/v1/voice", {"text": "hm"}, token=token).json["intent"] == "help"
    assert bank.postgres.query(WRITTEN) == [(0, 0)]


def test_a_check_in_is_kept_once_a_day(bank, whole):
    token = whole.login(9)
    for _ in range(3):
        reply = whole.call("POST", "/v1/checkins", {"place": "gate"}, token=token)
        assert (reply.status, reply.json) == (201, {"customer": 9, "place": "gate"})
    assert bank.postgres.query("SELECT customer, place FROM checkin") == [(9, "gate")]


def test_offers_are_put_together_once(whole):
    token = whole.login(3)
    first, again = (whole.call("GET", "/v1/offers", token=token).json for _ in range(2))
    assert (first["cached"], again["cached"]) == (False, True)
    assert first["offers"] == again["offers"] != []


# Of every operation that takes a body: what is wrong with each is said in a precise 4xx, by a stable name.
WRONG = {
    "transfer": [
        ({"to": 1, "amount": 5}, "same_account"),
        ({"to": 0, "amount": 5}, "account"),
        ({"to": 2**63, "amount": 5}, "account"),
        ({"to": 2, "amount": 0}, "amount_range"),
        ({"to": 2, "amount": 5, "currency": "USD"}, "currency"),
        ({"to": 2, "amount": 5, "currency": 5}, "field_type"),
        ({"to": 2, "amount": 5, "colour": "red"}, "unknown_field"),
    ],
    "payment": [
        ({"payee": "", "amount": 5}, "text"),
        ({"payee": "x" * 65, "amount": 5}, "text"),
        ({"payee": 5, "amount": 5}, "field_type"),
    ],
    "invest": [
        ({"product": "bonds"}, "missing_field"),
        ({"product": 5, "amount": 5_000}, "field_type"),
        ({"product": "a\nb", "amount": 5_000}, "text"),
    ],
    "voice": [
        ({"text": ""}, "text"),
        ({"text": "x" * 201}, "text"),
        ({"text": 5}, "field_type"),
        ({"text": "a\x00b"}, "text"),
        ({"text": "x", "to": 2}, "unknown_field"),
    ],
    "checkin": [
        ({"place": ""}, "text"),
        ({"place": None}, "field_type"),
        ({"place": "x" * 65}, "text"),
        ({}, "missing_field"),
    ],
}
AMOUNTS = {
    "field_type": ("true", "1.0", '"5"', "1e3", "NaN"),
    "amount_range": ("0", "-5", str(10**12 + 1), "9" * 3000),
}
BODIES = (b"", b"nonsense", b"[]", b"[" * 4000, b"\xff")


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_bad_request_is_told_so_and_writes_nothing(bank, whole, name):
    operation, token = BY_NAME[name], whole.login()
    bodies = [(json.dumps(each).encode(), reason) for each, reason in WRONG[name]]
    bodies += [(each, "body") for each in BODIES]
    if operation.money:
        good = {"transfer": '"to": 2', "payment": '"payee": "x"', "invest": '"product": "bonds"'}[name]
        bodies += [
            (f'{{{good}, "amount": {amount}}}'.encode(), reason)
            for reason, some in AMOUNTS.items()
            for amount in some
        ]
    for body, reason in bodies:
        reply = whole.call("POST", operation.path, body, token=token, key=str(uuid.uuid4()))
        assert (reply.status, reply.json["error"], reply.json["reason"]) == (400, "bad_request", reason), body
        assert reply.json["detail"]
    assert bank.postgres.query(WRITTEN) == [(0, 0)]


def test_too_much_too_late_without_a_key_or_a_session(bank, whole):
    token = whole.login()
    for operation in addresses_of("gateway").values():
        if operation.session:
            assert whole.call(operation.method, operation.path, {}).status == 401, operation.name
            forged = whole.call(operation.method, operation.path, {}, token=token[:-1] + "x")
            assert (forged.status, forged.json["reason"]) == (401, "token_invalid")
        if operation.money:
            for key in (None, "", "not-a-uuid"):
                body = {"product": "bonds", "amount": 5_000} if operation.name == "invest" else {}
                reply = whole.call("POST", operation.path, body, token=token, key=key)
                assert (reply.status, reply.json["reason"]) == (400, "idempotency_key"), (operation.name, key)
        if operation.method == "POST":
            assert whole.call("POST", operation.path, b" " * 5_000, token=token, key="k").status == 413
        late = whole.call(operation.method, operation.path, {}, token=token, key="k", deadline_ms=0)
        assert (late.status, late.json["error"], late.json["reason"]) == (408, "expired", "deadline")
        assert late.json["outcome"] == "none"
        assert whole.call("PUT", operation.path, {}, token=token).status == 405
    assert bank.postgres.query(WRITTEN) == [(0, 0)]


def test_nobody_answers_what_is_not_its_own(whole, bank):
    token = whole.login()
    for operation in OPERATIONS:
        for process in bank.started:
            if operation not in addresses_of(process.role).values():
                reply = process.call(operation.method, operation.path, {}, token=token)
                assert (reply.status, reply.json["error"]) == (404, "not_found"), (
                    process.role,
                    operation.name,
                )


def test_risk_scores_only_for_the_customer_who_asks(whole, bank):
    (risk,) = [each for each in bank.started if each.role == "risk"]
    token, key = whole.login(1), str(uuid.uuid4())
    good = {"operation": "transfer", "customer": 1, "amount": 5, "target": "2"}
    assert risk.call("POST", "/internal/score", good, token=token, key=key).json == {
        "score": 0,
        "verdict": "pass",
        "reasons": [],
    }
    for changed in ({"customer": 2}, {"amount": 5.0}, {"operation": "balance"}, {"target": ""}, {"more": 1}):
        reply = risk.call("POST", "/internal/score", good | changed, token=token, key=key)
        assert (reply.status, reply.json["error"]) == (400, "bad_request"), changed
    assert risk.call("POST", "/internal/score", good, key=key).status == 401
    assert risk.call("POST", "/internal/score", good, token=token).status == 400


def test_a_bank_without_a_service_says_which_one(bank):
    gateway = bank.gateway(bank.ledger())
    token = gateway.login()
    for name in ("products", "checkin", "voice", "offers"):
        operation = BY_NAME[name]
        reply = gateway.call(operation.method, operation.path, {}, token=token)
        assert (reply.status, reply.json["error"], reply.json["reason"]) == (
            503,
            "unavailable",
            operation.service,
        )
        assert (reply.json["outcome"], reply.headers["Retry-After"]) == ("none", "1")
    assert gateway.pay(token).status == 201
    assert gateway.call("GET", "/v1/balance", token=token).status == 200


def test_what_is_kept_is_kept_under_the_epoch(bank, eventually):
    """A check-in and an order go the way of every write: a change of the map is seen, and then followed."""
    ledger = bank.ledger()
    services = [bank.service(role, ledger) for role in ("wealth", "campus")]
    gateway = bank.gateway(ledger, services=services)
    token, key = gateway.login(), str(uuid.uuid4())
    assert bank.remap("city1-b").returncode == 0
    for once in (
        lambda: gateway.call("POST", "/v1/checkins", {"place": "gate"}, token=token),
        lambda: order(gateway, token, key=key),
    ):
        reply = once()
        assert reply.status == 201 or reply.json["reason"] == "stale_epoch"
        eventually(lambda once=once: once().status == 201, 3, "the new map is followed")
    assert bank.postgres.query("SELECT promotion, version FROM movement") == [(1, 1)]
    assert bank.postgres.query(WRITTEN) == [(1, 1)]


def test_a_ledger_that_is_gone_leaves_an_order_in_one_known_state(bank, books_agree):
    ledger = bank.ledger()
    gateway = bank.gateway(ledger, services=[bank.service("wealth", ledger)])
    token, key = gateway.login(), str(uuid.uuid4())
    ledger.stop()
    gone = order(gateway, token, key=key)
    assert (gone.status, gone.json["reason"], gone.json["outcome"]) == (503, "ledger", "none")
    ledger.start()
    assert order(gateway, token, key=key).status == 201
    books_agree(bank.postgres)
