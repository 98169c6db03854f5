"""What the processes tell Prometheus of a request: whose it was, where, and what it came to."""

from __future__ import annotations

import uuid


def test_a_request_is_counted_by_cell_zone_and_outcome(bank):
    ledger = bank.ledger(BANK_ZONE="here")
    campus = bank.service("campus", ledger)
    gateway = bank.gateway(ledger, services=[campus], BANK_ZONE="here", BANK_RATE="checkin=2,other=4000")
    shown = gateway.call("GET", "/metrics").body.decode()
    for code in ("429", "500", "503", "504"):
        (line,) = [
            each
            for each in shown.splitlines()
            if each.startswith("bank_requests_total{")
            and f'code="{code}"' in each
            and 'operation="payment"' in each
        ]
        assert 'cell="cell0"' in line
        assert line.endswith(" 0.0")
    token, key = gateway.login(), str(uuid.uuid4())
    assert gateway.pay(token, key).status == gateway.pay(token, key).status == 201
    assert gateway.pay(token, amount=10**9).status == 422
    assert gateway.call("GET", "/v1/balance", token="x").status == 401
    shed = [gateway.call("POST", "/v1/checkins", {"place": "x"}, token=token).status for _ in range(6)].count(
        429
    )

    def counted(**labels: str) -> float:
        return gateway.metric("bank_requests_total", zone="here", **labels)

    assert counted(operation="payment", tier="A1", cell="cell0", outcome="good", code="201") == 2
    assert counted(operation="payment", cell="cell0", outcome="refused", code="422") == 1
    assert counted(operation="balance", cell="none", outcome="refused", code="401") == 1
    assert counted(operation="login", cell="cell0", outcome="good") == 1
    assert counted(operation="checkin", cell="cell0", outcome="shed") == shed > 0
    offered, admitted = (
        gateway.metric(f"bank_{each}_total", operation="checkin") for each in ("offered", "admitted")
    )
    assert (offered, admitted) == (6, 6 - shed)
    assert gateway.metric("bank_request_seconds_count", operation="payment", tier="A1", zone="here") == 3
    assert (
        ledger.metric(
            "bank_requests_total", service="ledger", cell="cell0", outcome="good", operation="payment"
        )
        == 2
    )
    assert ledger.metric("bank_ledger_writes_total", operation="payment", cell="cell0", outcome="good") == 2
    assert ledger.metric("bank_ledger_writes_total", operation="payment", outcome="refused") == 1
    assert ledger.metric("bank_movements_total", operation="payment", repeated="true") == 1


def test_what_was_asked_of_a_dependency_is_counted_by_its_end(bank, fast):
    ledger = bank.ledger(BANK_SERVICE_MS=fast(balance=700))
    gateway = bank.gateway(ledger)
    token = gateway.login()
    assert gateway.call("GET", "/v1/balance", token=token, deadline_ms=300).status == 504

    def called(outcome: str) -> float:
        return gateway.metric("bank_dependency_calls_total", dependency="ledger-cell0", outcome=outcome)

    assert called("ok") == 0, "the login was identity's"
    assert called("late") + called("timeout") == 1
    assert gateway.metric("bank_retries_total", dependency="ledger-cell0", outcome="spent") == 0
    ledger.stop()
    assert gateway.call("GET", "/v1/balance", token=token).status == 503
    assert called("unreachable") == 1
    assert gateway.metric("bank_retries_total", dependency="ledger-cell0", outcome="spent") > 0


def test_every_process_tells_whom_it_asked_for_whose_customer_and_to_what_end(bank, eventually, urls):
    clearing = bank._party("clearing", {"BANK_CLEARING_BOOKS": str(bank.root / "clearing.sqlite")})
    out = {"BANK_CLEARING_URL": urls(clearing)}
    ledger = bank.ledger(**out)
    services = [bank.service("campus", ledger), bank.service("wealth", ledger)]
    sms = bank.sms()
    gateway = bank.gateway(ledger, services=services, BANK_SMS_URL=urls(sms))
    batch = bank._start("batch", {"BANK_DB_DSN": bank.dsn(), "BANK_RECONCILE_EVERY_S": "0.2", **out})
    token = gateway.login()
    assert gateway.call("POST", "/v1/checkins", {"place": "x"}, token=token).status == 201
    order = {"product": "bonds", "amount": 5_000}
    bought = gateway.call("POST", "/v1/wealth/orders", order, token=token, key=str(uuid.uuid4()))
    assert bought.status == 201
    code = {"customer": 1, "password": "pw-1", "purpose": "bind"}
    assert gateway.call("POST", "/v1/otp", code).status == 202

    def called(process, dependency: str, outcome: str, cell: str = "cell0") -> float:
        labels = {"dependency": dependency, "cell": cell, "outcome": outcome}
        return process.metric("bank_dependency_calls_total", **labels)

    assert called(gateway, "campus", "ok") == called(gateway, "wealth", "ok") == 1
    assert called(gateway, "identity", "ok") == called(gateway.identity, "ledger-cell0", "ok") == 2
    assert called(gateway.identity, "sms", "good") == 1
    assert [called(each, "ledger-cell0", "ok") for each in services] == [1, 1]
    # What wealth orders of the bank's own funds stays in the bank.
    assert called(ledger, "clearing", "good") == 0
    assert gateway.pay(token).status == 201
    eventually(lambda: called(ledger, "clearing", "good") == 1, 5, "the payment has left")
    eventually(lambda: called(batch, "clearing", "good") > 0, 5, "the books were compared")
    everybody = (gateway, gateway.identity, ledger, batch, *services)
    assert sum(each.metric("bank_dependency_calls_total", cell="none") for each in everybody) == 0
    ledger.stop()
    assert gateway.call("POST", "/v1/checkins", {"place": "x"}, token=token).status == 503
    assert called(services[0], "ledger-cell0", "unreachable") == 1
    assert services[0].metric("bank_retries_total", dependency="ledger-cell0", outcome="spent") > 0


def test_a_firm_outside_tells_what_it_answered(bank):
    sms = bank.sms()
    message = {"id": str(uuid.uuid4()), "customer": 1, "text": "hello"}
    assert sms.call("POST", "/messages", message).status < 300
    assert sms.call("POST", "/messages", {}).status == 400
    answered = {
        outcome: sms.metric("bank_party_requests_total", party="sms", outcome=outcome)
        for outcome in ("good", "refused", "failed")
    }
    assert answered == {"good": 1, "refused": 1, "failed": 0}
