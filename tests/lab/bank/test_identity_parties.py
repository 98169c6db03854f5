"""Loose coupling: SMS or face slow or dead, and what that costs whoever logs in with a password from a known phone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

ASKING = {
    "sms": ("/v1/otp", {"customer": 1, "password": "pw-1", "purpose": "bind"}),
    "face": ("/v1/face", {"customer": 1, "device": "device-1", "image": "face-1"}),
}
# Identity alone is looked at: the gateway lets everybody in.
WIDE = {
    "BANK_RATE": "other=4000",
    "BANK_LIMIT": "200",
    "BANK_FLOW_OFF": "adaptive,queue,fairness,confirm-first",
}


def under_way(identity, party):
    return identity.call("GET", "/parties").json["parties"][party]["under_way"]


def storm(bank, urls, eventually, party, trouble, **env):
    """Log in ten times, one after the other, while 20 phones ask for what needs the party; return both replies."""
    firms = {"sms": bank.sms(), "face": bank.face()}
    addresses = {f"BANK_{name.upper()}_URL": urls(firm) for name, firm in firms.items()}
    ledger = bank.ledger(BANK_SLOTS="20")
    identity = bank.identity(ledger, BANK_IDENTITY_SLOTS="3", **addresses, **env)
    gateway = bank.gateway(ledger, BANK_SERVICES=f"identity={urls(identity)}", **WIDE)
    trouble(firms[party])
    path, fields = ASKING[party]
    over = threading.Event()

    def keep_asking():
        replies = []
        while not over.is_set():
            replies.append(gateway.call("POST", path, fields, deadline_ms=2000))
        return replies

    def log_in(n):
        body = {"customer": n, "device": f"device-{n}", "password": f"pw-{n}"}
        return gateway.call("POST", "/v1/login", body, deadline_ms=2000)

    with ThreadPoolExecutor(20) as phones:
        asked = [phones.submit(keep_asking) for _ in range(20)]
        try:
            eventually(lambda: under_way(identity, party) >= 3, 10, "they stand at the party")
            logins = [log_in(n) for n in range(1, 11)]
        finally:
            over.set()
        return logins, [reply for each in asked for reply in each.result()]


def slow(firm):
    assert firm.trouble(delay_ms=60_000).status == 200


@pytest.mark.parametrize("party", ["sms", "face"])
def test_a_slow_party_costs_a_password_login_nothing(bank, urls, eventually, party):
    logins, asked = storm(bank, urls, eventually, party, slow)
    assert {each.status for each in logins} == {200}
    assert max(each.took_s for each in logins) < 0.5
    assert {(each.status, each.json["reason"]) for each in asked} == {(503, party)}
    assert {each.headers["Retry-After"] for each in asked} == {"1"}
    # Each had its 0.6 s at most, or was refused at once.
    assert max(each.took_s for each in asked) < 1.5


@pytest.mark.parametrize("party", ["sms", "face"])
def test_without_bulkheads_a_slow_party_takes_logins_with_it(bank, urls, eventually, party):
    logins, _ = storm(bank, urls, eventually, party, slow, BANK_IDENTITY_BULKHEADS="off")
    hurt = [each for each in logins if each.status != 200 or each.took_s > 0.5]
    assert len(hurt) > 5


def test_a_frozen_party_is_no_different_and_a_dead_one_is_told_at_once(bank, urls):
    firm = bank.sms()
    ledger = bank.ledger()
    identity = bank.identity(ledger, BANK_IDENTITY_SLOTS="1", BANK_SMS_URL=urls(firm))
    gateway = bank.gateway(ledger, BANK_SERVICES=f"identity={urls(identity)}")
    path, fields = ASKING["sms"]
    with firm.frozen(), ThreadPoolExecutor(1) as phone:
        asked = phone.submit(gateway.call, "POST", path, fields)
        assert gateway.login(1)
        assert (asked.result().status, asked.result().json["reason"]) == (503, "sms")
        assert asked.result().took_s < 1.5
    firm.stop()
    reply = gateway.call("POST", path, fields)
    assert (reply.status, reply.json["reason"]) == (503, "sms")
    assert reply.took_s < 0.5
    assert gateway.login(1)
