"""The gateway's map of the cells, against ledgers faked at the wire; and noticing that the process stood still."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormbank.cellmap import CellMap
from stormbank.cells import Cells
from stormbank.epoch import CellState, Epoch
from stormbank.lookout import Lookout
from stormbank.pulse import AFTERWARDS_S, STILL_S, Pulse


def state(promotion, version, cell="cell0", home="city1-a"):
    return {"cell": cell, "promotion": promotion, "version": version, "home": home}


class FakeLedger:
    """Answers every look with what it `tells`: fields, a status, "silence" for none, or None to hang up."""

    def __init__(self, tells) -> None:
        self.tells = tells
        self.connections = 0
        self.looks = 0

    async def serve(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"GET /cell HTTP/1.1")
                self.looks += 1
                if self.tells == "silence":
                    await asyncio.sleep(5)
                if self.tells is None:
                    break
                status = self.tells if isinstance(self.tells, int) else 200
                body = json.dumps(self.tells).encode()
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        writer.close()


async def until(check, within_s=5.0):
    """Wait until `check` is true; return how long that took."""
    began_s = time.monotonic()
    while not check():
        assert time.monotonic() - began_s < within_s
        await asyncio.sleep(0.005)
    return time.monotonic() - began_s


class Followed:
    """A map that follows fake ledgers."""

    def __init__(self, *ledgers) -> None:
        self.ledgers = ledgers
        self.observed = []
        self.map = CellMap(Cells(("cell0", "cell1")), self.observed.append)

    async def __aenter__(self):
        self.stack = contextlib.AsyncExitStack()
        urls = []
        for ledger in self.ledgers:
            server = await asyncio.start_server(ledger.serve, "127.0.0.1", 0)
            self.stack.callback(server.close)
            urls.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        self.following = asyncio.create_task(self.map.follow("cell0", Lookout(urls, "/cell")))
        return self

    async def __aexit__(self, *_):
        self.following.cancel()
        await asyncio.wait({self.following})
        await self.stack.aclose()

    async def comes_to(self, epoch, within_s=5.0):
        """Wait until the map is at `epoch`; return how long that took."""
        return await until(lambda: self.map.epoch("cell0") == epoch, within_s)


def test_a_change_is_followed_within_a_second():
    async def scenario():
        ledger = FakeLedger(state(1, 0))
        async with Followed(ledger) as followed:
            await followed.comes_to("1.0")
            took_s = []
            for version in range(1, 6):
                ledger.tells = state(1, version, home="city1-b")
                took_s.append(await followed.comes_to(f"1.{version}"))
            assert max(took_s) < 1.0
            assert ledger.connections == 1, "while all is well one connection does"
            assert followed.map.fields()["cells"]["cell0"]["home"] == "city1-b"
            assert followed.map.fields()["cells"]["cell1"] is None
            assert [str(each.epoch) for each in followed.observed] == [f"1.{n}" for n in range(6)]

    asyncio.run(scenario())


def test_a_refused_write_has_it_looked_up_at_once():
    async def scenario():
        ledger = FakeLedger(state(1, 0))
        async with Followed(ledger) as followed:
            await followed.comes_to("1.0")
            took_s = []
            for version in range(1, 6):
                await asyncio.sleep(0.03)  # past the gap that keeps many refusals from asking as often
                ledger.tells = state(1, version)
                followed.map.doubt("cell0")
                took_s.append(await followed.comes_to(f"1.{version}"))
            assert sorted(took_s)[2] < 0.1

    asyncio.run(scenario())


def test_many_refusals_are_few_looks():
    async def scenario():
        ledger = FakeLedger(state(1, 0))
        async with Followed(ledger) as followed:
            await followed.comes_to("1.0")
            before, began_s = ledger.looks, time.monotonic()
            while time.monotonic() - began_s < 0.5:
                followed.map.doubt("cell0")
                await asyncio.sleep(0.001)
            assert 5 < ledger.looks - before < 30

    asyncio.run(scenario())


@pytest.mark.parametrize("trouble", [503, None, "silence", [], {"cell": "cell0"}, state(9, 9, cell="cell1")])
def test_a_ledger_that_does_not_know_is_left_for_the_next(trouble):
    async def scenario():
        lost, well = FakeLedger(state(1, 0)), FakeLedger(state(2, 0))
        async with Followed(lost, well) as followed:
            await followed.comes_to("1.0")
            lost.tells = trouble
            assert await followed.comes_to("2.0") < 2.0
            looks, connections = lost.looks, well.connections
            well.tells = state(2, 1)
            await followed.comes_to("2.1")
            assert lost.looks == looks, "it is not gone back to while the other one knows"
            assert well.connections == connections

    asyncio.run(scenario())


def test_a_name_that_leads_to_several_is_looked_up_again_when_one_fails():
    """One address, two ledgers behind it: only a new connection gets to the other one."""

    async def scenario():
        ledger = FakeLedger(state(1, 0))
        async with Followed(ledger) as followed:
            await followed.comes_to("1.0")
            ledger.tells, connections = 503, ledger.connections
            await until(lambda: ledger.connections >= connections + 3)

    asyncio.run(scenario())


def test_the_map_never_goes_back():
    async def scenario():
        behind, well = FakeLedger(state(2, 3)), FakeLedger(state(2, 3))
        async with Followed(behind, well) as followed:
            await followed.comes_to("2.3")
            behind.tells = state(1, 7)
            well.tells = state(3, 0)
            await followed.comes_to("3.0")
            assert behind.looks > 1
            well.tells = 503
            await asyncio.sleep(0.5)
            assert followed.map.epoch("cell0") == "3.0"

    asyncio.run(scenario())


def test_an_answer_that_it_does_not_know_is_an_answer_and_none_is_not():
    async def scenario():
        for tells, looked in ((503, True), (None, False)):
            ledger = FakeLedger(tells)
            async with Followed(ledger) as followed:
                followed.map.learn(CellState("cell1", Epoch(1, 0), "city1-b"), 0.0)
                await until(lambda one=ledger: one.looks >= 3)
                assert followed.map.epoch("cell0") is None
                assert ("cell0" in followed.map.answered) == looked

    asyncio.run(scenario())


@given(st.text(max_size=12) | st.from_regex(r"\d+\.\d+", fullmatch=True))
def test_an_epoch_is_two_numbers_or_refused(text):
    try:
        epoch = Epoch.parse(text)
    except ValueError:
        return
    assert 0 <= epoch.promotion < 10**9
    assert Epoch.parse(str(epoch)) == epoch


def test_epochs_are_ordered_by_promotion_first():
    assert Epoch(1, 9) < Epoch(2, 0) < Epoch(2, 1) < Epoch(10, 0)
    told = CellState("cell0", Epoch(2, 1), "city2-a")
    assert CellState.parse(json.dumps(told.fields()).encode()) == told


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


def test_a_process_that_stood_still_notices_before_and_after_its_next_beat():
    clock = Clock()
    pulse = Pulse(clock=clock)
    pulse.beat()
    clock.now_s += STILL_S
    assert not pulse.just_woke(), "as late as a busy machine makes it"
    pulse.beat()
    clock.now_s += STILL_S + 1
    assert pulse.just_woke(), "asked before the beat"
    clock.now_s += AFTERWARDS_S / 2
    pulse.beat()
    assert pulse.just_woke(), "and for a while after it"
    clock.now_s += AFTERWARDS_S
    assert not pulse.just_woke()
    pulse.beat()
    clock.now_s += STILL_S + 1
    pulse.beat()
    assert pulse.just_woke(), "noticed by the beat itself"


def test_a_process_that_has_just_begun_has_not_just_woken():
    clock = Clock()
    clock.now_s = 0.0
    assert not Pulse(clock=clock).just_woke()
