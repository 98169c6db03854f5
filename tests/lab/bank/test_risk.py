"""Anti-fraud in the path of money, by real processes: what it refuses, and what becomes of money without it."""

from __future__ import annotations

import signal
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from stormbank.db.books import clearing_account

LARGE = 2_000
"""Above what is booked without a score, and below what is suspicious."""
SETTINGS = {"BANK_RISK": "on", "BANK_RISK_CLOSED_ABOVE": "1000"}
MARKS = "SELECT amount, unscored FROM movement ORDER BY id"


@pytest.fixture
def three(bank):
    """Return a gateway, its risk, and a token."""
    ledger, risk = bank.ledger(), bank.service("risk")
    gateway = bank.gateway(ledger, services=[risk], **SETTINGS)
    return gateway, risk, gateway.login()


def test_ordinary_money_passes_without_a_mark(bank, three):
    gateway, risk, token = three
    body = {"to": 2, "amount": LARGE}
    assert gateway.call("POST", "/v1/transfers", body, token=token, key=str(uuid.uuid4())).status == 201
    assert gateway.pay(token).status == 201
    assert bank.postgres.query(MARKS) == [(LARGE, False), (5, False)]
    assert risk.metric("bank_requests_total", operation="score", code="200") == 2
    assert gateway.metric("bank_scores_total", verdict="pass") == 2


def test_what_anti_fraud_refuses_is_not_booked(bank, three):
    gateway, _, token = three
    reply = gateway.pay(token, amount=5_000_001)
    assert (reply.status, reply.json["error"], reply.json["reason"]) == (422, "refused", "risk")
    assert bank.postgres.query(MARKS) == []
    assert gateway.metric("bank_scores_total", verdict="refuse") == 1


@pytest.mark.parametrize("trouble", ["dead", "frozen", "slow"])
def test_without_a_score_little_money_moves_with_a_mark_and_much_does_not(
    bank, fast, eventually, books_agree, trouble
):
    ledger = bank.ledger()
    risk = bank.service("risk", BANK_SERVICE_MS=fast(score=2_000 if trouble == "slow" else 1))
    gateway = bank.gateway(ledger, services=[risk], **SETTINGS)
    token, key = gateway.login(), str(uuid.uuid4())
    if trouble == "dead":
        risk.stop()
    if trouble == "frozen":
        risk.child.send_signal(signal.SIGSTOP)
    small = gateway.pay(token, amount=1_000)
    assert small.status == 201
    assert small.took_s < 0.6
    large = gateway.pay(token, key, amount=LARGE)
    assert (large.status, large.json["error"], large.json["reason"]) == (503, "unavailable", "risk")
    assert (large.json["outcome"], large.headers["Retry-After"]) == ("none", "1")
    assert large.took_s < 0.6
    assert bank.postgres.query(MARKS) == [(1_000, True)]
    assert gateway.metric("bank_scores_total", verdict="unscored") == 1
    assert gateway.metric("bank_scores_total", verdict="closed") == 1
    # What was refused for want of a score is booked once there is one, under the same key.
    risk.stop()
    risk.env["BANK_SERVICE_MS"] = fast()
    risk.start()
    eventually(lambda: gateway.pay(token, key, amount=LARGE).status == 201, 5, "risk answers again")
    assert bank.postgres.query(MARKS) == [(1_000, True), (LARGE, False)]
    books_agree(bank.postgres)


def test_a_retry_of_what_is_booked_is_answered_whatever_anti_fraud_says_now(bank, three):
    """The first try was booked and its answer lost. A refusal, with nothing done, would be false."""
    gateway, risk, token = three
    key = str(uuid.uuid4())
    assert gateway.pay(token, key, amount=LARGE).json["repeated"] is False
    risk.stop()
    again = gateway.pay(token, key, amount=LARGE)
    assert (again.status, again.json["repeated"]) == (201, True)
    fresh = gateway.pay(token, amount=LARGE)
    assert (fresh.status, fresh.json["outcome"]) == (503, "none")
    risk.env |= {"BANK_RISK_LARGE": "1", "BANK_RISK_LARGEST": "2"}
    risk.start()
    again = gateway.pay(token, key, amount=LARGE)
    assert (again.status, again.json["repeated"]) == (201, True)
    assert gateway.pay(token, amount=LARGE).status == 422
    # Another movement under that key is refused for that, and not for its score.
    other = gateway.pay(token, key, amount=LARGE + 1)
    assert (other.status, other.json["reason"]) == (409, "key_reused")
    assert bank.postgres.query(MARKS) == [(LARGE, False)]


@pytest.mark.parametrize("ends", ["COMMIT", "ROLLBACK"])
def test_a_retry_waits_for_a_first_try_that_is_being_booked(bank, three, eventually, ends):
    """A first try waits for its standby, invisible to all who read, and its retry is refused by anti-fraud."""
    gateway, risk, token = three
    key, payee = str(uuid.uuid4()), clearing_account("water")
    risk.stop()
    with bank.postgres.connection() as first, ThreadPoolExecutor(1) as phone:
        first.execute("BEGIN")
        first.execute(
            "SELECT bank_move(1, 0, %s, %s, 'payment', 1, %s, %s, 'water')", (key, key, payee, LARGE)
        )
        retry = phone.submit(lambda: gateway.pay(token, key, amount=LARGE))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid'"
        eventually(lambda: bank.postgres.query(waiting) == [(1,)], 5, "the retry waits")
        first.execute(ends)
        reply = retry.result()
    if ends == "COMMIT":
        assert (reply.status, reply.json["repeated"]) == (201, True)
    else:
        assert (reply.status, reply.json["reason"], reply.json["outcome"]) == (503, "risk", "none")
    assert len(bank.postgres.query(MARKS)) == (1 if ends == "COMMIT" else 0)


def test_anti_fraud_is_one_setting_and_without_it_everything_is_booked(bank):
    """Switched off, the harm: what would be refused moves, and nothing says that nobody looked at it."""
    ledger, risk = bank.ledger(), bank.service("risk")
    gateway = bank.gateway(ledger, services=[risk], **{**SETTINGS, "BANK_RISK": "off"})
    token = gateway.login()
    assert gateway.pay(token, amount=5_000_001).status == 201
    assert bank.postgres.query(MARKS) == [(5_000_001, False)]
    assert risk.metric("bank_requests_total", operation="score") == 0


def test_a_payer_who_asks_too_often_for_too_much_is_stopped(bank):
    ledger = bank.ledger()
    risk = bank.service("risk", BANK_RISK_OFTEN="3", BANK_RISK_MUCH="30", BANK_RISK_WINDOW_S="60")
    gateway = bank.gateway(ledger, services=[risk], **SETTINGS)
    token, other, key = gateway.login(1), gateway.login(2), str(uuid.uuid4())
    # Retries are not counted.
    assert [gateway.pay(token, key, amount=20).status for _ in range(5)] == [201] * 5
    assert [gateway.pay(token, amount=20).status for _ in range(4)] == [201, 201, 422, 422]
    assert gateway.pay(other, amount=20).status == 201
