"""The lab's API server beside a plain server: a list of 5,000 pods, and one change seen by 50 watchers."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator
from typing import Self

from benchmarks.figure import Figure, in_turn
from benchmarks.region import PODS, Region, exchange, region
from stormlab.wait import until

_WATCHERS, _ROUNDS = 50, 15
_WATCHED = "/api/v1/namespaces/default/configmaps"
_MERGE = "application/merge-patch+json"


def serving() -> Iterator[Figure]:
    """Both figures, from one pair of servers."""
    with region() as servers:
        yield _listing(servers)
        yield _watching(servers)


def _listing(servers: Region) -> Figure:
    asked = servers.request("GET", "/api/v1/pods")
    with servers.connect(servers.port) as ours, servers.connect(servers.bulk) as plain:
        size_mb = len(exchange(plain, asked)) / 1e6
        exchange(ours, asked)
        taken = in_turn(lambda: _took_ms(ours, asked), lambda: _took_ms(plain, asked), 9)
    what = f"list of {PODS} pods, {size_mb:.1f} MB over TLS; plain: a TLS server sends the same bytes"
    return Figure("api.list5000_ms", "ms", *taken, what, limit=200.0)


def _took_ms(connection: socket.socket, asked: bytes) -> float:
    began = time.perf_counter()
    exchange(connection, asked)
    return (time.perf_counter() - began) * 1000


def _watching(servers: Region) -> Figure:
    with servers.connect(servers.port) as writer:
        body = b'{"metadata":{"name":"watched"},"data":{"n":"0"}}'
        exchange(writer, servers.request("POST", _WATCHED, body))
        asked = servers.request("GET", f"{_WATCHED}?watch=1&fieldSelector=metadata.name%3Dwatched")
        with (
            _Many(lambda: servers.connect(servers.port), asked, b'"n":"0"') as ours,
            _Many(lambda: servers.connect(servers.relay, tls=False), b"here", b"here") as plain,
        ):

            def change(mark: bytes) -> None:
                path = f"{_WATCHED}/watched"
                exchange(writer, servers.request("PATCH", path, b'{"data":{"n":"%b"}}' % mark, _MERGE))

            worst: list[float] = []

            def seen_ms() -> float:
                worst.append(ours.seen_ms(change))
                return worst[-1]

            taken = in_turn(seen_ms, lambda: plain.seen_ms(plain.say), _ROUNDS)
    what = (
        f"until the last of {_WATCHERS} watchers sees a change, from before it is asked for, {_ROUNDS} times; "
        f"plain: a line relayed to {_WATCHERS} sockets"
    )
    # Each watcher within the limit, each time: a median hides the one that waits.
    return Figure("api.watch50_ms", "ms", *taken, what, limit=100.0, worst=max(worst))


class _Many:
    """Connections that are all told the same."""

    def __init__(self, connect: Callable[[], socket.socket], asked: bytes, answered: bytes) -> None:
        self._count = 0
        self._selector = selectors.DefaultSelector()
        self._all = [connect() for _ in range(_WATCHERS)]
        for connection in self._all:
            connection.sendall(asked)
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ)
        self._until_told(answered)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._all:
            connection.close()
        self._selector.close()

    def say(self, mark: bytes) -> None:
        """Let the first say it to all."""
        self._all[0].sendall(mark)

    def seen_ms(self, change: Callable[[bytes], None]) -> float:
        """From before the change until every one has been told of it."""
        self._count += 1
        mark = b"change-%d-" % self._count
        began = time.perf_counter()
        change(mark)
        self._until_told(mark)
        return (time.perf_counter() - began) * 1000

    def _until_told(self, mark: bytes) -> None:
        waiting = dict.fromkeys(self._all, b"")

        def everybody() -> bool:
            for key, _ in self._selector.select(timeout=1):
                told = _read(key.fileobj)
                if key.fileobj in waiting:
                    waiting[key.fileobj] += told
                    if mark in waiting[key.fileobj]:
                        del waiting[key.fileobj]
            return not waiting

        until(everybody, f"{_WATCHERS} told of {mark!r}", 20, poll_s=0)


def _read(connection: socket.socket) -> bytes:
    """All that has come; of TLS also what is decrypted already."""
    found = b""
    while True:
        try:
            data = connection.recv(65536)
        except (BlockingIOError, OSError):
            return found
        if not data:
            raise ConnectionError("a watcher was cut off")
        found += data
