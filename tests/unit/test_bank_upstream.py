"""The gateway's way to the ledgers, against ledgers faked at the wire."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from types import SimpleNamespace

import pytest

from stormbank.addresses import Addresses, home_first
from stormbank.deadline import Deadline
from stormbank.operations import BY_NAME
from stormbank.problem import DeadlineExceeded, Unavailable
from stormbank.upstream import Upstream

PAYMENT = BY_NAME["payment"]
BALANCE = BY_NAME["balance"]


def answering(status, body=b"{}"):
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return head + body


class FakeLedger:
    """Reads requests and plays one line of the script for each: bytes to send, None to hang up, or a wait."""

    def __init__(self, *script) -> None:
        self.script = list(script)
        self.requests = []

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(head.decode())
                length = [
                    int(line[15:])
                    for line in head.decode().split("\r\n")
                    if line.lower().startswith("content-length")
                ]
                await reader.readexactly(length[0] if length else 0)
                act = self.script.pop(0) if self.script else answering(200)
                if act is None:
                    break
                if act == "silence":
                    await asyncio.sleep(3)
                writer.write(act)
                await writer.drain()
        writer.close()


def ask(operation, *ledgers, budget_ms=2000, times=1, retries=None):
    """Ask `times` times over `ledgers`; return the answers, or raise the first problem."""

    async def scenario():
        async with contextlib.AsyncExitStack() as stack:
            urls = []
            for ledger in ledgers:
                server = await asyncio.start_server(ledger.serve, "127.0.0.1", 0)
                stack.callback(server.close)
                urls.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            client = await stack.enter_async_context(Upstream("ledger", urls, retries))
            deadline = Deadline.after_ms(budget_ms)
            return [await client.ask(operation, {}, b"{}", deadline) for _ in range(times)]

    return asyncio.run(scenario())


def test_the_budget_passed_on_is_smaller_than_the_one_given():
    ledger = FakeLedger()
    ask(BALANCE, ledger, budget_ms=1000)
    (passed_on,) = [line for line in ledger.requests[0].split("\r\n") if line.startswith("X-Deadline-Ms")]
    assert 900 < int(passed_on.split(": ")[1]) <= 990


def test_a_connection_that_breaks_is_tried_elsewhere_at_once():
    script = FakeLedger(None), FakeLedger(None, answering(201, b'{"ok": 1}'))
    answers = ask(PAYMENT, *script)
    assert [(each.status, each.body) for each in answers] == [(201, b'{"ok": 1}')]


@pytest.mark.parametrize("second", [422, 409, 503])
def test_after_a_try_that_was_cut_off_a_refusal_proves_nothing(second):
    both = answering(second, b'{"outcome": "none"}')
    with pytest.raises(Unavailable) as problem:
        ask(PAYMENT, FakeLedger(both), FakeLedger(None))
    assert problem.value.fields["outcome"] == "unknown"
    # Whoever only reads may believe it. (aiohttp tries a GET twice by itself.)
    assert ask(BALANCE, FakeLedger(both), FakeLedger(None, None))[0].status == second
    # So may whoever was refused by the first ledger asked.
    assert ask(PAYMENT, FakeLedger(both), FakeLedger(both))[0].status == second


def test_a_slow_ledger_is_not_asked_again():
    slow = FakeLedger("silence")
    with pytest.raises(DeadlineExceeded) as problem:
        ask(PAYMENT, slow, budget_ms=200)
    assert len(slow.requests) == 1
    assert problem.value.fields["outcome"] == "unknown"


def test_retries_end_when_their_budget_does():
    class Two:
        left = 2

        def asked(self):
            pass

        def take(self):
            self.left -= 1
            return self.left >= 0

    ledger = FakeLedger(*[None] * 10)
    with pytest.raises(Unavailable) as problem:
        ask(PAYMENT, ledger, retries=Two())
    assert len(ledger.requests) == 3
    assert (problem.value.fields["reason"], problem.value.fields["dependency"]) == ("retry_budget", "ledger")
    assert problem.value.fields["outcome"] == "unknown", "it may have been booked before it was cut off"


def test_how_long_it_waited_is_read_from_the_answer():
    head = b"HTTP/1.1 200 X\r\nBank-Queue-Ms: %s\r\nContent-Length: 2\r\n\r\n{}"
    script = FakeLedger(head % b"12.5", head % b"-1", head % b"x", head % b"inf", answering(200))
    assert [each.queue_s for each in ask(BALANCE, script, times=5)] == [0.0125, None, None, None, None]


def test_nothing_is_sent_when_there_is_no_time():
    ledger = FakeLedger()
    with pytest.raises(DeadlineExceeded) as problem:
        ask(PAYMENT, ledger, budget_ms=5)
    assert problem.value.fields["outcome"] == "none"
    assert ledger.requests == []


def test_connections_are_kept():
    peers = set()
    ledger = FakeLedger()
    serve = ledger.serve

    async def counting(reader, writer):
        peers.add(writer.get_extra_info("peername"))
        await serve(reader, writer)

    ledger.serve = counting
    ask(BALANCE, ledger, times=5)
    assert (len(ledger.requests), len(peers)) == (5, 1)


def test_an_address_that_cannot_be_reached_is_left_alone_for_a_while():
    async def scenario():
        alive, dialled = FakeLedger(), []
        server = await asyncio.start_server(alive.serve, "127.0.0.1", 0)
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            urls = [f"http://127.0.0.1:{each.getsockname()[1]}" for each in (nobody, server.sockets[0])]
            async with Upstream("ledger", urls) as client:
                send = client._send

                async def watched(operation, address, *rest):
                    dialled.append(str(address).removesuffix(operation.path))
                    return await send(operation, address, *rest)

                client._send = watched
                for _ in range(6):
                    assert (await client.ask(BALANCE, {}, b"", Deadline.after_ms(2000))).status == 200
        server.close()
        assert dialled.count(urls[0]) == 1
        assert dialled.count(urls[1]) == 6

    asyncio.run(scenario())


def serving(*homes, zones, general=("g",)):
    """Addresses that follow the first of `homes`, which a test changes."""
    now = list(homes)
    clock = SimpleNamespace(s=0.0)
    order = home_first(general, zones, lambda: now[0])
    return Addresses(order, clock=lambda: clock.s), now, clock


def test_the_ledgers_of_the_home_come_first_and_the_others_when_nobody_is_there():
    chosen, home, clock = serving("a", zones={"a": ("a1", "a2"), "b": ("b1",)})
    assert {chosen.choose() for _ in range(10)} == {"a1", "a2"}
    chosen.unreachable("a1")
    assert {chosen.choose() for _ in range(10)} == {"a2"}
    chosen.unreachable("a2")
    assert {chosen.choose() for _ in range(10)} == {"b1"}
    chosen.unreachable("b1")
    assert {chosen.choose() for _ in range(10)} == {"a1", "a2", "b1"}, "nobody anywhere: in turn"
    home[0] = "b"
    clock.s = 1.1
    assert chosen.choose() == "b1"


def test_one_goes_and_sees_whether_an_address_is_back():
    chosen, _, clock = serving("a", zones={"a": ("a1",), "b": ("b1",)})
    chosen.unreachable("a1")
    clock.s = 1.0
    assert [chosen.choose() for _ in range(4)] == ["a1", "b1", "b1", "b1"]
    chosen.reached("a1")
    assert [chosen.choose() for _ in range(4)] == ["a1"] * 4


def test_after_a_broken_try_another_one_is_asked_if_there_is_any():
    chosen, home, _ = serving("a", zones={"a": ("a1",), "b": ("b1",)})
    assert [chosen.choose("a1") for _ in range(3)] == ["b1"] * 3
    home[0] = None
    assert [chosen.choose("g") for _ in range(3)] == ["g"] * 3


@pytest.mark.parametrize("home", [None, "elsewhere"])
def test_without_a_home_that_is_here_all_are_asked_in_turn(home):
    chosen, _, _ = serving(home, zones={"a": ("a1",), "b": ("b1",)}, general=("g1", "g2"))
    assert [chosen.choose() for _ in range(4)] in (["g1", "g2"] * 2, ["g2", "g1"] * 2)
