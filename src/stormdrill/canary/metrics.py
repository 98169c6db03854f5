"""The board as Prometheus reads it, and the little of HTTP that takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import cast

from stormdrill.canary.board import Board

_REQUEST_LIMIT = 8192


def exposition(board: Board) -> str:
    """All series, in Prometheus' text format."""
    return "\n".join(_lines(board)) + "\n"


def _lines(board: Board) -> Iterator[str]:
    readings = list(board.readings())
    name = "stormdrill_canary_up"
    yield f"# HELP {name} 1 while the path to the peer works; 0 after a second without success."
    yield f"# TYPE {name} gauge"
    for one in readings:
        yield f'{name}{{zone="{board.zone}",peer="{one.peer}",path="{one.path}"}} {int(one.up)}'
    name = "stormdrill_canary_silence_seconds"
    yield f"# HELP {name} Since the path last worked, or was first known; time this process did not run left out."
    yield f"# TYPE {name} gauge"
    for one in readings:
        yield f'{name}{{zone="{board.zone}",peer="{one.peer}",path="{one.path}"}} {one.silence_s:.3f}'
    yield from _counter("udp_received", "Datagrams of the peer that arrived here.", board, board.received)
    yield from _counter(
        "udp_missing", "Datagrams of the peer that later ones overtook.", board, board.missing
    )
    name = "stormdrill_canary_established_total"
    yield f"# HELP {name} Held connections that were made."
    yield f"# TYPE {name} counter"
    yield f'{name}{{zone="{board.zone}"}} {board.held}'
    name = "stormdrill_canary_overslept_seconds_total"
    yield f"# HELP {name} Time in which this process should have run and did not."
    yield f"# TYPE {name} counter"
    yield f'{name}{{zone="{board.zone}"}} {board.clock.overslept_s:.3f}'


def _counter(what: str, text: str, board: Board, values: dict[str, int]) -> Iterator[str]:
    name = f"stormdrill_canary_{what}_total"
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} counter"
    for peer, value in sorted(values.items()):
        yield f'{name}{{zone="{board.zone}",peer="{peer}"}} {value}'


class Page(asyncio.Protocol):
    """One connection of a reader; stays open, as Prometheus wants it."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._asked = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._asked += data
        while self._transport is not None and b"\r\n\r\n" in self._asked:
            request, _, self._asked = self._asked.partition(b"\r\n\r\n")
            self._transport.write(self._answer(request.split(b"\r\n", 1)[0]))
        if len(self._asked) > _REQUEST_LIMIT and self._transport is not None:
            self._transport.abort()

    def _answer(self, line: bytes) -> bytes:
        method, _, rest = line.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method != b"GET":
            return _response("405 Method Not Allowed", "GET only\n")
        if path == b"/metrics":
            return _response("200 OK", self._read())
        if path == b"/healthz":
            return _response("200 OK", "ok\n")
        return _response("404 Not Found", "/metrics or /healthz\n")


def _response(status: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
