"""External parties from both sides: the bulkhead around calls to them, and what they are told to do to those."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from stormbank.deadline import Deadline
from stormbank.external.sms import MOST, Mailbox
from stormbank.external.trouble import LONGEST_MS, Failures, Trouble
from stormbank.identity.metrics import PartyMetrics
from stormbank.identity.party import Party
from stormbank.metrics import CallMetrics
from stormbank.problem import DeadlineExceeded, Unavailable


class Firm:
    """Faked at the wire: answers each request with `status` and `body` after `delay_s`."""

    def __init__(self, body=b'{"ok": 1}', *, status=202, delay_s=0.0) -> None:
        self.body, self.status, self.delay_s = body, status, delay_s
        self.requests = []

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                self.requests.append((head.split("\r\n")[0], json.loads(await reader.readexactly(length))))
                await asyncio.sleep(self.delay_s)
                writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(self.body)}\r\n\r\n".encode())
                writer.write(self.body)
                await writer.drain()
        writer.close()


def asking(firm, *, calls=2, timeout_s=0.3, budget_ms=2000, times=1, url=None):
    """Ask `times` at once; return answers and problems, how long it took, and the counts."""

    async def scenario():
        async with contextlib.AsyncExitStack() as stack:
            server = await asyncio.start_server(firm.serve, "127.0.0.1", 0)
            stack.callback(server.close)
            address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" if url is None else url or None
            registry = CollectorRegistry()
            counts = PartyMetrics(CallMetrics(registry), ("sms",), ("cell0", "cell1"))
            party = await stack.enter_async_context(
                Party("sms", address, counts, calls=calls, timeout_s=timeout_s)
            )
            began_s = time.monotonic()
            asked = [
                party.ask("/messages", {"n": n}, Deadline.after_ms(budget_ms), "cell1") for n in range(times)
            ]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert party.under_way == 0
            outcomes = {
                outcome: registry.get_sample_value(
                    "bank_dependency_calls_total", {"dependency": "sms", "cell": "cell1", "outcome": outcome}
                )
                for outcome in ("good", "failed", "late", "shed")
            }
            return answers, time.monotonic() - began_s, {k: v for k, v in outcomes.items() if v}

    return asyncio.run(scenario())


def test_a_party_is_asked_and_answers():
    firm = Firm()
    answers, _, counts = asking(firm)
    assert answers == [{"ok": 1}]
    assert firm.requests == [("POST /messages HTTP/1.1", {"n": 0})]
    assert counts == {"good": 1}


def test_beyond_its_share_calls_are_refused_at_once():
    answers, took_s, counts = asking(Firm(delay_s=0.2), calls=2, timeout_s=1.0, times=5)
    assert [type(each) for each in answers] == [dict, dict, *[Unavailable] * 3]
    assert answers[2].fields["reason"] == "sms"
    assert took_s < 0.8, "nobody stood in a line"
    assert counts == {"good": 2, "shed": 3}


def test_without_a_bulkhead_all_are_under_way_and_the_deadline_alone_ends_them():
    firm = Firm(delay_s=5)
    answers, took_s, counts = asking(firm, calls=None, timeout_s=None, times=20, budget_ms=700)
    assert len(firm.requests) == 20
    assert {type(each) for each in answers} == {Unavailable}
    assert counts == {"late": 20}
    assert 0.5 < took_s < 0.9


def test_a_slow_party_has_its_time_and_no_more_than_the_caller():
    _, took_s, counts = asking(Firm(delay_s=5), timeout_s=0.3)
    assert counts == {"late": 1}
    assert took_s < 0.6
    (problem,), took_s, _ = asking(Firm(delay_s=5), timeout_s=3.0, budget_ms=250)
    assert isinstance(problem, Unavailable)
    assert took_s < 0.25, "there is time left to say so"


def test_nothing_is_sent_when_there_is_no_time():
    firm = Firm()
    (problem,), _, _ = asking(firm, budget_ms=20)
    assert isinstance(problem, DeadlineExceeded)
    assert firm.requests == []


@pytest.mark.parametrize(
    "firm", [Firm(status=503), Firm(status=302), Firm(b"<html>"), Firm(b"[]"), Firm(b"\xff"), Firm(b"")]
)
def test_whatever_else_it_answers_is_a_failure_of_its(firm):
    (problem,), _, counts = asking(firm)
    assert (problem.status, problem.fields["reason"], problem.retry_after_s) == (503, "sms", 1)
    assert counts == {"failed": 1}


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:1"])
def test_a_party_that_is_not_there_is_unavailable(url):
    (problem,), _, counts = asking(Firm(), url=url)
    assert isinstance(problem, Unavailable)
    assert counts == {"failed": 1}


@given(st.floats(0, 1), st.integers(1, 300))
def test_failures_are_the_share_they_are_told_to_be(share, answers):
    failures = Failures()
    failed = sum(failures.due(share) for _ in range(answers))
    assert abs(failed - share * answers) <= 1


def test_trouble_is_changed_field_by_field():
    trouble = Trouble().changed(b'{"delay_ms": 400}').changed(b'{"error_share": 0.5}')
    assert trouble == Trouble(400, 0.5)
    assert trouble.changed(b"{}") == trouble


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "Expecting value"),
        (b"[]", "not an object"),
        (b'{"delay": 1}', "delay"),
        (b'{"delay_ms": true, "error_share": "1"}', "delay_ms, error_share"),
        (b'{"delay_ms": NaN}', "delay_ms"),
        (b'{"delay_ms": -1, "error_share": 2}', "delay_ms is not within 0 to 600000; error_share"),
        (f'{{"delay_ms": {LONGEST_MS + 1}}}'.encode(), "delay_ms"),
    ],
)
def test_trouble_that_makes_no_sense_is_refused_with_all_reasons(body, says):
    with pytest.raises(ValueError, match=says):
        Trouble().changed(body)


def test_a_mailbox_keeps_the_last_minutes_each_message_once():
    now_s = 100.0
    mailbox = Mailbox(60, clock=lambda: now_s)
    mailbox.put("a", 1, "first")
    mailbox.put("a", 1, "repeated")
    now_s += 50
    mailbox.put("b", 1, "second")
    mailbox.put("c", 2, "another's")
    assert [(each["text"], each["age_s"]) for each in mailbox.of(1)] == [("first", 50.0), ("second", 0.0)]
    now_s += 11
    assert [each["text"] for each in mailbox.of(1)] == ["second"]
    assert mailbox.of(3) == []


def test_a_mailbox_does_not_grow_without_end():
    mailbox = Mailbox(60)
    for number in range(MOST + 10):
        mailbox.put(str(number), number % 2, "x")
    assert sum(len(mailbox.of(customer)) for customer in (0, 1)) == MOST
