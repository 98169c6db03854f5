"""Services that ask the ledgers of several cells keep them apart, as gateways do."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.lab.bank.conftest import Bank, Process

CROWD = 30
PATIENCE_MS = 1_500


def login(identity: Process, customer: int, deadline_ms: int = 3_000):
    fields = {"customer": customer, "device": f"device-{customer}", "password": f"pw-{customer}"}
    return identity.call("POST", "/v1/login", fields, deadline_ms=deadline_ms)


@pytest.fixture
def cells(bank: Bank, urls, free_port):
    """The environment of a bank of two cells, and a ledger of each."""
    bank.postgres.query("CREATE DATABASE bank1", database="postgres")
    ports = [free_port(), free_port()]
    named = ",".join(f"cell{cell}=http://127.0.0.1:{port}" for cell, port in enumerate(ports))
    env = {"BANK_CELLS": "cell0,cell1", "BANK_LEDGERS": named}
    dsns = [bank.dsn(), bank.dsn(database="bank1")]
    ledgers = [
        bank.ledger(dsn, port=port, BANK_CELL=f"cell{cell}", **env)
        for cell, (dsn, port) in enumerate(zip(dsns, ports, strict=True))
    ]
    yield env, ledgers
    for each in bank.started:
        each.stop()
    bank.postgres.query("DROP DATABASE bank1 WITH (FORCE)", database="postgres")


@pytest.mark.parametrize("breaker", ["on", "off"])
def test_logins_of_one_cell_do_not_notice_that_anothers_ledgers_hang(bank, cells, breaker):
    env, (even, _) = cells
    off = {"BANK_FLOW_OFF": "breaker"} if breaker == "off" else {}
    identity = bank.identity(**env, **off)
    assert [login(identity, customer).status for customer in (1, 2)] == [200, 200]
    with even.frozen(), ThreadPoolExecutor(CROWD) as phones:
        hung = [phones.submit(login, identity, 2, PATIENCE_MS) for _ in range(CROWD)]
        served = [login(identity, 1) for _ in range(20)]
        statuses = {each.result().status for each in hung}
        after = login(identity, 2, PATIENCE_MS)
    assert {each.status for each in served} == {200}
    assert sorted(each.took_s for each in served)[10] < 0.3
    # Those that got no place were refused at once.
    assert statuses == {503, 504}
    assert identity.metric("bank_dependency_highwater", dependency="ledger-cell0") <= 24
    if breaker == "on":
        assert (after.status, after.json["reason"], after.json["dependency"]) == (
            503,
            "breaker",
            "ledger-cell0",
        )
        assert after.took_s < 0.5
        assert identity.metric("bank_breaker_state", dependency="ledger-cell1") == 0
    else:
        assert (after.status, after.took_s > 1.4) == (504, True)


def test_every_hop_to_ledgers_is_guarded(bank, cells, eventually):
    env, (even, _) = cells
    asking = [bank.service(role, **env) for role in ("wealth", "campus")]
    gateway = bank.gateway(**env, services=asking)
    token = gateway.login(2)
    order = {"product": "bonds", "amount": 5_000}
    replies = [
        gateway.call("POST", "/v1/wealth/orders", order, token=token, key=str(uuid.uuid4())),
        gateway.call("POST", "/v1/checkins", {"place": "gate"}, token=token),
        gateway.call("POST", "/v1/transfers", {"to": 1, "amount": 5}, token=token, key=str(uuid.uuid4())),
    ]
    assert [each.status for each in replies] == [201] * 3
    for who in (*asking, gateway.identity):
        assert who.metric("bank_dependency_calls_total", dependency="ledger-cell0", outcome="ok") == 1, (
            who.role
        )
    asked = lambda: even.metric("bank_dependency_calls_total", dependency="ledger-cell1", outcome="ok")  # noqa: E731
    eventually(lambda: asked() == 1, 5, "the other cell was asked for the credit")
