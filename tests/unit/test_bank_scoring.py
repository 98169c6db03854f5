"""The gateway asks anti-fraud, faked at the wire: what it is told, and what happens when it tells nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter

import pytest

from stormbank.deadline import Deadline
from stormbank.mark import Mark
from stormbank.operations import BY_NAME
from stormbank.problem import BadRequest
from stormbank.roles import ROLES
from stormbank.scoring import Patience, Scoring
from stormbank.settings.reader import SettingsError
from stormbank.upstream import Upstream

ENV = {"BANK_TOKEN_SECRET": "0123456789abcdef"}
PATIENCE = Patience(wait_s=0.15, closed_above=1_000)
HEADERS = {"Authorization": "Bearer t", "Idempotency-Key": "k"}
PASS, REFUSE = (200, b'{"verdict": "pass"}'), (200, b'{"verdict": "refuse"}')
NOTHING = [
    "silence",
    None,
    (503, b'{"verdict": "pass"}'),
    (504, b"{}"),
    (200, b"<html>"),
    (200, b"[]"),
    (200, b"{}"),
    (200, b'{"verdict": "maybe"}'),
]


class FakeRisk:
    """Plays one act for every request: status and body, "silence", or None to hang up."""

    def __init__(self, act) -> None:
        self.act = act
        self.asked = []

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = [int(x[15:]) for x in head.split("\r\n") if x.lower().startswith("content-length")]
                self.asked.append((head, json.loads(await reader.readexactly(length[0]))))
                if self.act is None:
                    break
                if self.act == "silence":
                    await asyncio.sleep(3)
                status, body = self.act
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        writer.close()


def mark(act, body, operation="transfer", budget_ms=2000):
    """Return the mark, what risk was asked, what was counted, and how long it took."""

    async def scenario():
        fake, counted = FakeRisk(act), Counter()
        server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Upstream("risk", [url]) as risk:
            scoring = Scoring(risk, PATIENCE, lambda verdict: counted.update([verdict]))
            began_s = time.monotonic()
            found = await scoring.mark(
                BY_NAME[operation], 7, HEADERS, json.dumps(body).encode(), Deadline.after_ms(budget_ms)
            )
            took_s = time.monotonic() - began_s
        server.close()
        return found, fake.asked, dict(counted), took_s

    return asyncio.run(scenario())


def test_risk_is_told_who_pays_whom_how_much_and_under_which_key():
    found, asked, counted, _ = mark(PASS, {"to": 2, "amount": 50})
    assert (found, counted) == (Mark(), {"pass": 1})
    ((head, body),) = asked
    assert body == {"operation": "transfer", "customer": 7, "amount": 50, "target": "2"}
    assert "Authorization: Bearer t" in head
    assert "Idempotency-Key: k" in head
    _, ((_, body),), _, _ = mark(PASS, {"payee": "water", "amount": 50}, "payment")
    assert body["target"] == "water"


def test_what_it_refuses_is_barred_whatever_the_amount():
    for amount in (1, 1_000_000):
        assert mark(REFUSE, {"to": 2, "amount": amount})[0] == Mark(bar="refused")


@pytest.mark.parametrize("act", NOTHING)
def test_without_an_answer_the_amount_decides(act):
    small, _, counted, took_s = mark(act, {"to": 2, "amount": 1_000})
    assert (small, counted) == (Mark(unscored=True), {"unscored": 1})
    # Four pauses between tries would come to more than that.
    assert took_s < 0.35
    large, _, counted, _ = mark(act, {"to": 2, "amount": 1_001})
    assert (large, counted) == (Mark(bar="closed"), {"closed": 1})


def test_it_gets_no_more_time_than_there_is():
    _, _, _, took_s = mark("silence", {"to": 2, "amount": 1}, budget_ms=50)
    assert took_s < 0.12


@pytest.mark.parametrize(
    "body", [{"to": 2}, {"to": 2, "amount": 1.0}, {"to": 2, "amount": 0}, {"payee": "x", "amount": 1}]
)
def test_what_makes_no_sense_is_refused_and_not_let_pass_unscored(body):
    with pytest.raises(BadRequest):
        mark(None, body)


def test_settings_of_it():
    gateway = ROLES["gateway"]
    assert gateway.read(ENV).scoring is None
    named = {**ENV, "BANK_RISK": "on", "BANK_SERVICES": "risk=http://risk:8092"}
    assert gateway.read(named).scoring == Patience(wait_s=0.15, closed_above=45_000)
    for changed, says in (
        ({"BANK_SERVICES": ""}, "names no risk"),
        ({"BANK_RISK": "yes"}, "on or off"),
        ({"BANK_RISK_MS": "0"}, "more than 0"),
        ({"BANK_RISK_CLOSED_ABOVE": "1.5"}, "whole number"),
    ):
        with pytest.raises(SettingsError, match=says):
            gateway.read({**named, **changed})
