"""What another cell's answers mean to a transfer, against a ledger faked at the wire."""

from __future__ import annotations

import asyncio
import json
import time
import uuid

import pytest

from stormbank.cellmap import CellMap
from stormbank.cells import Cells
from stormbank.epoch import CellState, Epoch
from stormbank.outbox import Done, Later, Row
from stormbank.outbox.dispatcher import LONGEST_PAUSE_S, back_off_s
from stormbank.outbox.transfer import TransferHandler
from stormbank.session import Sessions
from stormbank.transit import Transfer, transit_account
from stormbank.upstream import Upstream

CELLS = Cells(("cell0", "cell1"))
TRANSFER = Transfer(uuid.uuid4(), 1, 2, 700)
ROW = Row(7, uuid.uuid4(), "transfer.cell0", TRANSFER.content(), 1)


class World:
    """A handler of cell1, and a ledger of cell0 that answers everything with `status` and `body`."""

    def __init__(self, status, body):
        self.status, self.body = status, body
        self.heard = []
        self.known = CellMap(CELLS, lambda _: None)
        self.known.learn(CellState("cell0", Epoch(3, 1), "z"), time.monotonic())
        self.sessions = Sessions("0123456789abcdef", 60)
        self.epoch = Epoch(2, 0)

    async def serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        self.heard.append(
            (head.split(" ")[1], lines, json.loads(await reader.readexactly(int(lines["Content-Length"]))))
        )
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (self.status, len(self.body)) + self.body
        )
        await writer.drain()
        writer.close()

    async def ask(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, Upstream("ledger", [f"http://127.0.0.1:{port}"]) as upstream:
            handler = self.handler(upstream)
            assert handler.open()
            return await handler.handle(ROW), handler

    def handler(self, upstream):
        return TransferHandler(
            CELLS,
            "cell1",
            "cell0",
            upstream=upstream,
            known=self.known,
            epoch=lambda: self.epoch,
            sessions=self.sessions,
        )


def asked(status, body):
    world = World(status, body if isinstance(body, bytes) else json.dumps(body).encode())
    answer, handler = asyncio.run(world.ask())
    return answer, handler, world


def test_the_other_cell_is_told_all_it_needs_under_its_epoch():
    answer, _, world = asked(200, {"outcome": "booked", "reason": None, "repeated": True})
    assert answer == Done("booked", under=3)
    ((path, headers, body),) = world.heard
    assert path == "/internal/credits"
    assert (headers["Idempotency-Key"], headers["Bank-Cell"], headers["Bank-Epoch"]) == (
        str(ROW.key),
        "cell0",
        "3.1",
    )
    assert world.sessions.customer_behind(headers) == 2
    assert body == {
        "key": str(TRANSFER.key),
        "cell": "cell1",
        "epoch": "2.0",
        "from": 1,
        "to": 2,
        "amount": 700,
    }


def test_a_refusal_that_was_recorded_gives_the_money_back():
    answer, handler, _ = asked(200, {"outcome": "refused", "reason": "unknown_account", "repeated": False})
    assert isinstance(answer, Done)
    assert (answer.outcome, answer.under) == ("compensated", None)
    back = answer.booking
    assert (back.key, back.operation, back.to_account, back.amount) == (TRANSFER.key, "transfer_back", 1, 700)
    assert back.from_account == transit_account(CELLS, "cell0", ROW.key)
    assert handler.open()


@pytest.mark.parametrize(
    ("status", "body", "opened"),
    [
        (503, {"error": "unavailable", "reason": "database"}, False),
        (503, {"error": "unavailable", "reason": "stale_sender"}, False),
        (500, b"oh", False),
        (503, {"error": "unavailable", "reason": "stale_epoch"}, True),
        (429, {"error": "shed", "reason": "overload"}, True),
        (409, {"error": "conflict", "reason": "key_reused"}, True),
        (422, {"error": "refused", "reason": "unknown_account"}, True),
        (400, {"error": "bad_request"}, True),
        (421, {"error": "misrouted"}, True),
        (404, b"", True),
        (200, b"booked", True),
        (200, {"outcome": "perhaps"}, True),
        (200, [], True),
    ],
)
def test_nothing_else_is_final(status, body, opened):
    answer, handler, _ = asked(status, body)
    assert answer == Later()
    assert handler.open() is opened


def test_nobody_is_asked_without_an_epoch_or_an_answer():
    async def ask():
        async with Upstream("ledger", ["http://127.0.0.1:1"]) as upstream:
            world = World(200, b"")
            handler = world.handler(upstream)
            assert await handler.handle(ROW) == Later()
            assert not handler.open(), "it is left alone for a while"
            world.epoch = None
            assert await world.handler(upstream).handle(ROW) == Later()
            world.known = CellMap(CELLS, lambda _: None)
            assert not world.handler(upstream).open()

    asyncio.run(ask())


def test_the_pauses_grow_to_a_limit():
    assert 0.05 <= back_off_s(1) <= 0.1
    assert LONGEST_PAUSE_S / 2 <= back_off_s(10**6) <= LONGEST_PAUSE_S
