"""Requests that are wrong in every way below and above HTTP: a precise 4xx in JSON, no stack trace, nothing written."""

from __future__ import annotations

import json
import socket
import uuid

import pytest

from stormbank.wrong import Wrong

KEY = str(uuid.uuid4())
CODES = {str(each) for each in Wrong}
PAY = b'{"payee": "water", "amount": 5}'


@pytest.fixture(scope="module")
def ours(server, tmp_path_factory):
    """One bank for all of them: what is refused must leave no trace anyway."""
    server.query("DROP DATABASE IF EXISTS bank WITH (FORCE)", database="postgres")
    server.query("CREATE DATABASE bank", database="postgres")
    here = __import__("tests.lab.bank.conftest", fromlist=["Bank"])
    bank = here.Bank(server, tmp_path_factory.mktemp("bank"))
    bank.front = bank.gateway(bank.ledger(), BANK_RATE="other=4000")
    bank.token = bank.front.login()
    yield bank
    for process in bank.started:
        process.stop()


def spoken(port: int, raw: bytes) -> tuple[int, dict[str, str], bytes]:
    """Say `raw` to a process and return what it answers: status, headers, body."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(raw)
        # Not yet the end of what we say: a request cut short is another story than a wrong one.
        answer = b""
        while data := line.recv(65536):
            answer += data
            head, end, body = answer.partition(b"\r\n\r\n")
            if end and len(body) >= _length(head):
                break
    status_line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(status_line.split()[1]), headers, body


def _length(head: bytes) -> int:
    (found,) = [
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    ]
    return found


def payment(
    ours, *, body: bytes = PAY, key: str = KEY, kind: str = "application/json", more: str = ""
) -> bytes:
    head = f"POST /v1/payments HTTP/1.1\r\nHost: bank\r\nAuthorization: Bearer {ours.token}\r\n"
    head += f"Idempotency-Key: {key}\r\nContent-Type: {kind}\r\n{more}"
    return head.encode("latin-1") + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def login(body: bytes) -> bytes:
    head = b"POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(ours, body: bytes) -> bytes:
    return payment(ours).partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n" + body


DEEP = b'{"payee": ' + b"[" * 1900 + b"]" * 1900 + b', "amount": 5}'
WRONG = {
    "not HTTP": (lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "malformed"),
    "a method of no name": (lambda _: b"G@T /v1/balance HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed"),
    "a header without a colon": (lambda _: b"GET /v1/balance HTTP/1.1\r\nHost x\r\n\r\n", 400, "malformed"),
    "two lengths": (lambda o: payment(o, more="Content-Length: 3\r\n"), 400, "malformed"),
    "a negative length": (
        lambda _: b"POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "malformed"),
    "a length and chunks": (lambda o: payment(o, more="Transfer-Encoding: chunked\r\n"), 400, "malformed"),
    "a chunk of no size": (lambda o: chunked(o, b"zz\r\n" + PAY + b"\r\n0\r\n\r\n"), 400, "malformed"),
    "a chunk longer than its size": (lambda o: chunked(o, b"3\r\n" + PAY + b"\r\n0\r\n\r\n"), 400, "malformed"),
    "a huge header": (lambda o: payment(o, more=f"X-More: {'x' * 9000}\r\n"), 431, "headers_too_large"),
    "a huge address": (
        lambda _: b"GET /v1/" + b"b" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "headers_too_large"),
    "a body too large": (lambda o: payment(o, body=b" " * 5000), 413, "too_large"),
    "a body far too large": (lambda o: payment(o, body=b" " * 200_000), 413, "too_large"),
    "chunks too large": (
        lambda o: chunked(o, b"1388\r\n" + b" " * 5000 + b"\r\n0\r\n\r\n"), 413, "too_large"),
    "text": (lambda o: payment(o, kind="text/plain"), 415, "unsupported_media_type"),
    "a form": (lambda o: payment(o, kind="application/x-www-form-urlencoded"), 415, "unsupported_media_type"),
    "a type of no sense": (lambda o: payment(o, kind="\xff"), 415, "unsupported_media_type"),
    "two keys": (
        lambda o: payment(o, more=f"idempotency-key: {uuid.uuid4()}\r\n"), 400, "bad_request", "repeated_header"),
    "two tokens": (
        lambda o: payment(o, more="Authorization: Bearer x\r\n"), 400, "bad_request", "repeated_header"),
    "two types": (lambda o: payment(o, more="Content-Type: text/plain\r\n"), 400, "malformed"),
    "two deadlines": (
        lambda o: payment(o, more="X-Deadline-Ms: 900\r\nX-Deadline-Ms: 9\r\n"), 400, "bad_request", "repeated_header"),
    "a key of bytes": (lambda o: payment(o, key="\xff\xfe"), 400, "bad_request", "idempotency_key"),
    "an empty key": (lambda o: payment(o, key=""), 400, "bad_request", "idempotency_key"),
    "a deadline in words": (lambda o: payment(o, more="X-Deadline-Ms: soon\r\n"), 400, "bad_request", "deadline"),
    "an empty body": (lambda o: payment(o, body=b""), 400, "bad_request", "body"),
    "half a body": (lambda o: payment(o, body=b'{"payee":'), 400, "bad_request", "body"),
    "no text": (lambda o: payment(o, body=b'{"payee": "\xff\xfe", "amount": 5}'), 400, "bad_request", "body"),
    "half a pair": (
        lambda o: payment(o, body=b'{"payee": "\\ud800", "amount": 5}'), 400, "bad_request", "field_type"),
    "as deep as it goes": (lambda o: payment(o, body=DEEP), 400, "bad_request"),
    "an amount of many digits": (
        lambda o: payment(o, body=b'{"payee": "x", "amount": ' + b"9" * 4000 + b"}"), 400, "bad_request"),
    "a fraction": (
        lambda o: payment(o, body=b'{"payee": "x", "amount": 5.0}'), 400, "bad_request", "field_type"),
    "no number": (
        lambda o: payment(o, body=b'{"payee": "x", "amount": NaN}'), 400, "bad_request", "field_type"),
    "an amount of nothing": (
        lambda o: payment(o, body=b'{"payee": "x", "amount": 0}'), 400, "bad_request", "amount_range"),
    "an amount twice": (
        lambda o: payment(o, body=b'{"payee": "x", "amount": 5, "amount": 6}'), 400, "bad_request", "body"),
    "a currency": (
        lambda o: payment(o, body=b'{"payee": "x", "amount": 5, "currency": "XXX"}'), 400, "bad_request", "currency"),
    "a deep login": (lambda _: login(b"[" * 4000), 400, "bad_request"),
    "a password of half a pair": (
        lambda _: login(b'{"customer": 1, "device": "d", "password":"\\ud800"}'), 400, "bad_request"),
    "no such method": (lambda _: b"PUT /v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405,
                       "method_not_allowed"),
    "no such address": (lambda _: b"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found"),
    "a forged token": (
        lambda o: payment(o).replace(o.token.encode(), o.token[:-4].encode() + b"0000"), 401, "unauthorized"),
    "a token of bytes": (lambda o: payment(o).replace(o.token.encode(), b"\xff.\xfe"), 401, "unauthorized"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_it_is_refused_in_json_and_nothing_is_written(ours, what):
    said, status, error, *reason = WRONG[what]
    got, headers, body = spoken(ours.front.port, said(ours))
    assert (got, json.loads(body)["error"]) == (status, error)
    assert json.loads(body)["reason"]
    assert reason in ([], [json.loads(body)["reason"]])
    assert error != "bad_request" or (json.loads(body)["reason"] in CODES and json.loads(body)["detail"])
    assert headers["content-type"] == "application/json"
    assert b"Traceback" not in body
    for process in ours.started:
        assert "Traceback" not in process.log.read_text()
    assert ours.postgres.query("SELECT (SELECT count(*) FROM movement), (SELECT count(*) FROM entry)") == [
        (0, 0)
    ]


def test_what_would_be_allowed_is_said(ours):
    assert ours.front.call("PUT", "/v1/payments").headers["Allow"] == "POST"


def test_the_document_is_served(ours):
    reply = ours.front.call("GET", "/openapi.json")
    assert (reply.status, reply.json["openapi"]) == (200, "3.1.0")
    assert ours.front.call("POST", "/openapi.json", {}).status == 404
