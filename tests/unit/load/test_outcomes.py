"""The classification table: what each kind of answer means for the customer, and for the money."""

import json
import socket
from typing import Any

import pytest
import requests
import urllib3

from stormdrill.estate import Idempotency, Operation, OperationKind
from stormdrill.load.outcomes import Expectation, Trouble, judge_answer, judge_trouble
from stormdrill.load.plain import Names, Unmatched, money, trouble_of
from stormdrill.records.layout import Act, Outcome, Reason

READ = Expectation(False, 200, ("balance",))
WRITE = Expectation(True, 201, ("movement",), "k1")
MAYBE_DONE = {"reason": "database", "outcome": "unknown"}
ENVOY_UC = b"upstream connect error or disconnect/reset before headers. reset reason: connection termination"
GOOD_WRITE = {"movement": 7, "key": "k1"}


@pytest.mark.parametrize(
    ("expected", "status", "body", "outcome", "reason", "act", "again"),
    [
        (READ, 200, {"balance": 1}, Outcome.GOOD, Reason.NONE, Act.OK, False),
        # A standby's, marked: as good as the tier asks.
        (READ, 200, {"balance": 1, "stale": True, "as_of": "x"}, Outcome.GOOD, Reason.NONE, Act.OK, False),
        (READ, 200, {}, Outcome.FAILED, Reason.CONTENT, Act.UNKNOWN, False),
        (READ, 200, b"<html>", Outcome.FAILED, Reason.CONTENT, Act.UNKNOWN, False),
        (READ, 200, b"[1]", Outcome.FAILED, Reason.CONTENT, Act.UNKNOWN, False),
        (READ, 200, b"\xff", Outcome.FAILED, Reason.CONTENT, Act.UNKNOWN, False),
        (READ, 204, b"", Outcome.FAILED, Reason.STATUS, Act.UNKNOWN, False),
        (READ, 401, {}, Outcome.FAILED, Reason.STATUS, Act.FAIL, False),
        (READ, 500, b"", Outcome.FAILED, Reason.STATUS, Act.FAIL, True),
        (READ, 504, b"", Outcome.FAILED, Reason.STATUS, Act.FAIL, True),
        (READ, 503, {"error": "x", "reason": "database"}, Outcome.FAILED, Reason.DEPENDENCY, Act.FAIL, True),
        (READ, 429, {"reason": "overload"}, Outcome.SHED, Reason.OVERLOAD, Act.FAIL, True),
        (READ, 429, {"reason": "rate"}, Outcome.SHED, Reason.RATE, Act.FAIL, True),
        (READ, 429, b"", Outcome.SHED, Reason.OVERLOAD, Act.FAIL, True),
        (READ, 503, {"error": "shed", "reason": "rate"}, Outcome.SHED, Reason.RATE, Act.FAIL, True),
        (WRITE, 201, GOOD_WRITE, Outcome.GOOD, Reason.NONE, Act.OK, False),
        (WRITE, 201, {**GOOD_WRITE, "key": "k2"}, Outcome.FAILED, Reason.CONTENT, Act.UNKNOWN, False),
        (WRITE, 201, {"movement": 7}, Outcome.FAILED, Reason.CONTENT, Act.UNKNOWN, False),
        (WRITE, 200, GOOD_WRITE, Outcome.FAILED, Reason.STATUS, Act.UNKNOWN, False),
        (WRITE, 422, {}, Outcome.FAILED, Reason.STATUS, Act.FAIL, False),
        (WRITE, 409, {}, Outcome.FAILED, Reason.STATUS, Act.FAIL, False),
        (WRITE, 500, b"", Outcome.UNKNOWN, Reason.STATUS, Act.UNKNOWN, True),
        (WRITE, 502, b"", Outcome.UNKNOWN, Reason.STATUS, Act.UNKNOWN, True),
        (READ, 408, {"outcome": "none"}, Outcome.FAILED, Reason.STATUS, Act.FAIL, True),
        (WRITE, 408, {"outcome": "none"}, Outcome.FAILED, Reason.STATUS, Act.FAIL, True),
        (WRITE, 408, b"a proxy's", Outcome.UNKNOWN, Reason.STATUS, Act.UNKNOWN, True),
        (WRITE, 504, {"error": "deadline"}, Outcome.UNKNOWN, Reason.STATUS, Act.UNKNOWN, True),
        (WRITE, 504, {"outcome": "unknown"}, Outcome.UNKNOWN, Reason.STATUS, Act.UNKNOWN, True),
        (WRITE, 504, {"outcome": "none"}, Outcome.FAILED, Reason.STATUS, Act.FAIL, True),
        (READ, 503, b"", Outcome.FAILED, Reason.STATUS, Act.FAIL, True),
        (WRITE, 503, b"", Outcome.UNKNOWN, Reason.STATUS, Act.UNKNOWN, True),
        (WRITE, 503, ENVOY_UC, Outcome.UNKNOWN, Reason.STATUS, Act.UNKNOWN, True),
        (WRITE, 503, {"error": "x", "reason": "y"}, Outcome.UNKNOWN, Reason.DEPENDENCY, Act.UNKNOWN, True),
        (WRITE, 503, {"outcome": "none"}, Outcome.FAILED, Reason.STATUS, Act.FAIL, True),
        (WRITE, 503, {"error": "shed"}, Outcome.SHED, Reason.OVERLOAD, Act.FAIL, True),
        (WRITE, 503, {"reason": "db", "outcome": "none"}, Outcome.FAILED, Reason.DEPENDENCY, Act.FAIL, True),
        (WRITE, 503, MAYBE_DONE, Outcome.UNKNOWN, Reason.DEPENDENCY, Act.UNKNOWN, True),
        (WRITE, 429, {"reason": "overload"}, Outcome.SHED, Reason.OVERLOAD, Act.FAIL, True),
    ],
)  # fmt: skip
def test_answers(
    expected: Expectation, status: int, body: Any, *, outcome: Outcome, reason: Reason, act: Act, again: bool
) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    judgement = judge_answer(expected, status, raw)
    assert (judgement.outcome, judgement.reason, judgement.act, judgement.again) == (
        outcome,
        reason,
        act,
        again,
    )


@pytest.mark.parametrize(
    ("trouble", "outcome", "reason", "act"),
    [
        (Trouble.CONNECT, Outcome.FAILED, Reason.CONNECT, Act.FAIL),
        (Trouble.RESET, Outcome.UNKNOWN, Reason.RESET, Act.UNKNOWN),
        (Trouble.TIMEOUT, Outcome.UNKNOWN, Reason.TIMEOUT, Act.UNKNOWN),
    ],
)
def test_no_answer(trouble: Trouble, outcome: Outcome, reason: Reason, act: Act) -> None:
    judgement = judge_trouble(trouble)
    assert (judgement.outcome, judgement.reason, judgement.act) == (outcome, reason, act)
    assert judgement.again


def wrapped(inner: Exception, outer: Exception) -> Exception:
    outer.__context__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (ConnectionRefusedError(111, "refused"), Trouble.CONNECT),
        (requests.exceptions.ConnectTimeout(), Trouble.CONNECT),
        (
            requests.exceptions.ConnectionError(
                urllib3.exceptions.MaxRetryError(
                    None, "/", urllib3.exceptions.NewConnectionError(None, "refused")  # type: ignore[arg-type]
                )
            ),
            Trouble.CONNECT,
        ),
        (wrapped(socket.gaierror(), requests.exceptions.ConnectionError()), Trouble.CONNECT),
        (requests.exceptions.ReadTimeout(), Trouble.TIMEOUT),
        (TimeoutError(), Trouble.TIMEOUT),
        (requests.exceptions.ConnectionError("aborted", ConnectionResetError()), Trouble.RESET),
        (BrokenPipeError(), Trouble.RESET),
        (ValueError("anything"), Trouble.RESET),
    ],
)  # fmt: skip
def test_only_what_was_surely_never_sent_is_a_failed_connection(error: Exception, trouble: Trouble) -> None:
    assert trouble_of(error) is trouble


def test_a_ring_of_causes_ends() -> None:
    error = ValueError()
    error.__cause__ = error
    assert trouble_of(error) is Trouble.RESET


def test_names_are_matched_as_locust_reports_them() -> None:
    names = Names(
        [
            Operation("a", "A", OperationKind.READ, 1, ("GET /api/a",)),
            Operation("b", "A", OperationKind.WRITE, 1, ("POST /api/b", "POST pay")),
        ]
    )
    assert names.operation("get", "/api/a?x=1", None) == 0
    assert names.operation("GET", "http://host:1/api/a", None) == 0
    assert names.operation("POST", "/whatever/7", "pay") == 1
    assert names.operation("POST", "/api/b", "renamed") is None  # Locust would not call it /api/b either
    assert names.operation("PUT", "/api/a", None) is None


def test_names_of_unmatched_requests_are_told_up_to_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    unmatched = Unmatched()
    for number in range(100):
        unmatched.tell(f"GET /orders/{number}")
        unmatched.tell("GET /orders/0")
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 20
    assert told[-1].endswith("no more of these are told")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"amount": 5, "to": 6}, (5, 6)),
        ('{"amount": "5", "to": 6}', (5, 6)),
        (b'{"amount": 5}', (5, 0)),
        ({"amount": 5.5, "to": True}, (0, 0)),
        ("no json", (0, 0)),
        (None, (0, 0)),
        ([1], (0, 0)),
    ],
)
def test_money_of_a_body(body: Any, expected: tuple[int, int]) -> None:
    assert money(Idempotency("Idempotency-Key", "amount", "to"), body) == expected
    assert money(None, body) == (0, 0)
