"""A gateway frozen by SIGSTOP across a re-map, with requests in its sockets: it writes nothing of what waited."""

from __future__ import annotations

import http.client
import json
import time
import uuid

import pytest

from stormbank.pulse import STILL_S, TICK_S

BOOKED = "SELECT key::text, version FROM movement"


class Phone:
    """One connection, on which a payment can be sent without waiting for its answer."""

    def __init__(self, gateway, token) -> None:
        self.key = str(uuid.uuid4())
        self.token = token
        self.connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)

    def look(self):
        self.connection.request("GET", "/v1/balance", headers={"Authorization": f"Bearer {self.token}"})
        assert self.answer()[0] == 200
        return self

    def pay(self):
        headers = {
            "Authorization": f"Bearer {self.token}", "Idempotency-Key": self.key, "Content-Type": "application/json",
        }  # fmt: skip
        self.connection.request("POST", "/v1/payments", json.dumps({"payee": "water", "amount": 5}), headers)

    def answer(self):
        reply = self.connection.getresponse()
        return reply.status, json.loads(reply.read())


@pytest.fixture
def crowd(bank):
    """A gateway, and phones: some of them on connections that are open already."""
    ledger = bank.ledger()
    gateway = bank.gateway(ledger, BANK_LIMIT="100")
    phones = [Phone(gateway, gateway.login(customer)) for customer in range(1, 31)]
    for each in phones[:15]:
        each.look()
    yield gateway, ledger, phones
    for each in phones:
        each.connection.close()


def test_nothing_that_waited_for_a_frozen_gateway_is_booked(bank, crowd, eventually, books_agree):
    gateway, _, phones = crowd
    assert gateway.pay(phones[0].token).status == 201
    with gateway.frozen():
        frozen_s = time.monotonic()
        for each in phones[:20]:
            each.pay()
        assert bank.remap("city1-b").returncode == 0
        for each in phones[20:]:
            each.pay()
        eventually(lambda: time.monotonic() - frozen_s > STILL_S + TICK_S, 10, "it has been long")
    answers = [each.answer() for each in phones]
    assert {status for status, _ in answers} == {503}
    assert {fields["outcome"] for _, fields in answers} == {"none"}
    assert {fields["reason"] for _, fields in answers} <= {"stalled", "stale_epoch"}
    waited = {each.key for each in phones}
    assert waited.isdisjoint(key for key, _ in bank.postgres.query(BOOKED))
    # Under the new epoch it writes again, and the phones' own retries are as good as their first attempts.
    reply = eventually(
        lambda: (again := gateway.pay(phones[0].token, phones[0].key)).status == 201 and again,
        3,
        "it writes again",
    )
    assert reply.json["repeated"] is False
    for each in phones:
        assert gateway.pay(each.token, each.key).status == 201
    booked = dict(bank.postgres.query(BOOKED))
    assert {booked[key] for key in waited} == {1}
    books_agree(bank.postgres)


def test_a_short_freeze_writes_nothing_under_the_old_map(bank, crowd, books_agree):
    """Too short to be noticed: then it is the database alone that stands between the past and the books."""
    gateway, ledger, phones = crowd
    with gateway.frozen():
        for each in phones[:15]:
            each.pay()
        bank.postgres.query("SELECT bank_remap('city1-b')")
    answers = [each.answer() for each in phones[:15]]
    refused = [fields["reason"] for status, fields in answers if status == 503]
    assert refused.count("stale_epoch") == ledger.metric("bank_stale_epoch_total") > 0
    assert {version for _, version in bank.postgres.query(BOOKED)} <= {1}
    assert len(bank.postgres.query(BOOKED)) == 15 - len(refused)
    books_agree(bank.postgres)
