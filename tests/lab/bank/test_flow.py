"""The gateway over real ledgers: capacity, flow control, deadlines, a ledger that dies, a decent end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

WIDE = {"BANK_RATE": "other=4000"}
FIXED = {**WIDE, "BANK_FLOW_OFF": "adaptive,queue,fairness,confirm-first"}


def test_capacity_is_slots_by_service_time(bank, fast, at_once):
    ledger = bank.ledger(BANK_SLOTS="3", BANK_SERVICE_MS=fast(balance=50))
    gateway = bank.gateway(ledger, BANK_LIMIT="100", **FIXED)
    token = gateway.login()
    started_s = time.monotonic()
    replies = at_once([lambda: gateway.call("GET", "/v1/balance", token=token)] * 30)
    took_s = time.monotonic() - started_s
    assert {each.status for each in replies} == {200}
    # 30 requests over 3 slots of 50 ms: ten rounds, neither fewer nor many more.
    assert 0.5 <= took_s < 1.2
    assert ledger.metric("bank_slots") == 3
    assert ledger.metric("bank_slot_wait_seconds_count") == 31


def test_a_request_that_cannot_end_in_time_is_not_begun(bank, fast, at_once):
    ledger = bank.ledger(BANK_SLOTS="1", BANK_SERVICE_MS=fast(payment=600))
    gateway = bank.gateway(ledger, **WIDE)
    token = gateway.login()
    replies = at_once([lambda: gateway.pay(token, deadline_ms=1600)] * 6)
    # One slot of 600 ms has time for two of them within 1.6 s.
    assert Counter(each.status for each in replies) == {201: 2, 504: 4}
    assert max(each.took_s for each in replies) < 1.9
    for late in replies:
        if late.status == 504:
            assert (late.json["error"], late.json["outcome"]) in (
                ("deadline", "none"),
                ("deadline", "unknown"),
            )
    assert bank.postgres.query("SELECT count(*) FROM movement") == [(2,)]
    assert gateway.pay(token, deadline_ms=0).status == 408
    assert gateway.call("GET", "/v1/balance", token=token, deadline_ms=-5).status == 408


@pytest.mark.parametrize("order", ["A1,A2,B,C", "C,B,A2,A1"])
def test_the_least_important_tier_is_given_up_first(bank, fast, order):
    kept, given_up = ("payment", "checkin") if order.startswith("A") else ("checkin", "payment")
    ledger = bank.ledger(BANK_SLOTS="20", BANK_SERVICE_MS=fast(payment=1200))
    campus = bank.service("campus", ledger, BANK_CAMPUS_SLOTS="20", BANK_SERVICE_MS=fast(checkin=1200))
    together = FIXED | {"BANK_FLOW_OFF": f"{FIXED['BANK_FLOW_OFF']},bulkhead"}
    gateway = bank.gateway(
        ledger,
        services=[campus],
        BANK_LIMIT="10",
        BANK_TIER_ORDER=order,
        BANK_TIER_SHARE="A1=1.0,A2=0.9,B=0.8,C=0.5",
        **together,
    )
    token = gateway.login()
    calls = {
        "payment": lambda: gateway.pay(token),
        "checkin": lambda: gateway.call("POST", "/v1/checkins", {"place": "gate"}, token=token),
    }
    with ThreadPoolExecutor(10) as phones:
        first = [phones.submit(calls[given_up]) for _ in range(10)]
        # Half the limit, and then no more of the tier that counts least ...
        assert Counter(each.result().status for each in first) == {201: 5, 429: 5}
    with ThreadPoolExecutor(20) as phones:
        mixed = [phones.submit(calls[kept]) for _ in range(20)]
        shed = [each.result() for each in mixed if each.result().status == 429]
    # ... while the tier that counts most has all of it.
    assert len(shed) == 10
    assert {(each.json["error"], each.json["reason"], each.headers["Retry-After"]) for each in shed} == {
        ("shed", "overload", "1")
    }
    assert max(each.took_s for each in shed) < 0.5
    assert gateway.metric("bank_shed_total", operation=given_up, reason="overload") == 5
    assert gateway.metric("bank_shed_total", operation=kept, reason="overload") == 10
    assert gateway.metric("bank_admitted_total", operation=kept) == 10
    assert gateway.metric("bank_requests_total", operation=kept, code="429") == 10


def test_highwater_is_kept_for_every_reader(bank, fast, at_once):
    gateway = bank.gateway(bank.ledger(BANK_SERVICE_MS=fast(payment=50)), BANK_LIMIT="4", **FIXED)
    token = gateway.login()
    at_once([lambda: gateway.pay(token)] * 12)
    assert gateway.metric("bank_admission_highwater") == 4
    assert gateway.metric("bank_admission_highwater") == 4, "no reader takes it away from the next"
    assert gateway.metric("bank_admission_inflight") == 0
    assert gateway.metric("bank_admission_limit") == 4


def test_an_operation_above_its_rate_is_shed_for_that_reason(bank):
    ledger = bank.ledger()
    campus = bank.service("campus", ledger)
    gateway = bank.gateway(ledger, services=[campus], BANK_RATE="other=100,checkin=4")
    token = gateway.login()
    replies = [gateway.call("POST", "/v1/checkins", {"place": "gate"}, token=token) for _ in range(6)]
    # Half a second of the rate may come at once.
    assert [each.status for each in replies[:2]] == [201, 201]
    assert 429 in [each.status for each in replies]
    assert {(each.json["reason"], each.json["tier"]) for each in replies if each.status == 429} == {
        ("rate", "C")
    }
    assert gateway.call("GET", "/v1/balance", token=token).status == 200


def test_a_phone_that_hangs_up_in_the_middle_is_nobodys_error(bank, eventually):
    gateway = bank.gateway(bank.ledger())
    token = gateway.login()
    with socket.create_connection(("127.0.0.1", gateway.port)) as phone:
        head = f"POST /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        head += f"Content-Type: application/json\r\nIdempotency-Key: {uuid.uuid4()}\r\n"
        phone.sendall(f"{head}Content-Length: 20\r\n\r\n{{".encode())
        eventually(lambda: gateway.metric("bank_admission_inflight") == 1, 3, "it was let in")
    eventually(lambda: gateway.metric("bank_admission_inflight") == 0, 3, "its place is free again")
    assert gateway.metric("bank_requests_total", code="499") == 1
    assert "Traceback" not in gateway.log.read_text()


def test_strangers_take_nothing_from_customers(bank):
    gateway = bank.gateway(bank.ledger(), BANK_RATE="other=2")
    for _ in range(20):
        assert gateway.call("GET", "/v1/balance", token="x").status == 401
    assert gateway.metric("bank_admitted_total") == 0


def test_a_ledger_killed_under_load_is_not_noticed(bank, at_once):
    ledgers = [bank.ledger(), bank.ledger()]
    gateway = bank.gateway(*ledgers, **WIDE)
    token = gateway.login()
    calls = [
        lambda: gateway.pay(token, amount=1),
        lambda: gateway.call("GET", "/v1/balance", token=token),
    ] * 20
    with ThreadPoolExecutor(4) as phones:
        asked = [phones.submit(call) for call in calls * 4]
        asked[30].result()
        ledgers[0].child.kill()
        statuses = Counter(each.result().status for each in asked)
    assert statuses == {200: 80, 201: 80}
    assert bank.postgres.query("SELECT count(*) FROM movement") == [(80,)]


def test_without_any_ledger_the_phone_is_told_why(bank):
    ledger = bank.ledger()
    gateway = bank.gateway(ledger)
    token = gateway.login()
    ledger.stop()
    reply = gateway.pay(token)
    assert (reply.status, reply.json["error"], reply.json["reason"]) == (503, "unavailable", "ledger")
    assert reply.took_s < 1.0
    assert gateway.call("GET", "/readyz").status == 200


def test_a_session_holds_at_every_gateway_that_knows_the_secret(bank):
    ledger = bank.ledger()
    token = bank.gateway(ledger).login(3)
    assert bank.gateway(ledger).call("GET", "/v1/balance", token=token).json["account"] == 3
    stranger = bank.gateway(ledger, BANK_TOKEN_SECRET="another-secret-altogether")
    assert stranger.call("GET", "/v1/balance", token=token).status == 401


def test_a_session_ends(bank, eventually):
    gateway = bank.gateway(bank.ledger(), BANK_SESSION_S="3")
    token = gateway.login()
    assert gateway.call("GET", "/v1/balance", token=token).status == 200
    ended = lambda: gateway.call("GET", "/v1/balance", token=token)  # noqa: E731
    assert (
        eventually(lambda: ended().status == 401 and ended(), 10, "the session ends").json["reason"]
        == "token_expired"
    )


@pytest.mark.parametrize("role", ["gateway", "ledger"])
def test_a_process_told_to_end_finishes_what_it_began(bank, fast, eventually, role):
    ledger = bank.ledger(BANK_SERVICE_MS=fast(payment=900))
    gateway = bank.gateway(ledger)
    ending = gateway if role == "gateway" else ledger
    token, key = gateway.login(), str(uuid.uuid4())
    with ThreadPoolExecutor(1) as phone:
        payment = phone.submit(gateway.pay, token, key)
        eventually(lambda: ledger.metric("bank_slots_busy") == 1, 3, "the payment is under way")
        ending.child.send_signal(signal.SIGTERM)
        eventually(lambda: ending.call("GET", "/readyz").body == b"draining\n", 1, "it wants no more traffic")
        # Somebody may not have noticed yet.
        assert ending.call("GET", "/livez").status == 200
        assert payment.result().status == 201
    assert ending.child.wait(2) == 0


def test_bad_settings_are_told_all_at_once(tmp_path):
    env = {"PATH": "/usr/bin", "BANK_FLOW_OFF": "none,brakes", "BANK_LIMIT": "0", "BANK_TIER_ORDER": "A,A"}
    command = [sys.executable, "-m", "stormbank", "gateway"]
    done = subprocess.run(command, check=False, env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    for name in ("BANK_FLOW_OFF", "BANK_LIMIT", "BANK_TIER_ORDER", "BANK_TOKEN_SECRET"):
        assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_one_clear_message(bank):
    ledger = bank.ledger()
    command = [sys.executable, "-m", "stormbank", "ledger", "--host", "127.0.0.1", "--port", str(ledger.port)]
    done = subprocess.run(
        command,
        check=False,
        env={"PATH": "/usr/bin", **ledger.env, "BANK_TOKEN_SECRET": "x" * 16},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 2
    assert str(ledger.port) in done.stderr
    assert "Traceback" not in done.stderr
