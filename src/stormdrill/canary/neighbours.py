"""The other canaries: who they are, and which of them this one watches."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Sequence
from functools import partial

from stormdrill.canary.board import Board
from stormdrill.canary.knock import Knocks
from stormdrill.canary.link import Link
from stormdrill.canary.lookup import Names, follow
from stormdrill.canary.serving import Datagrams
from stormdrill.canary.wire import Datagram, datagram

_LOOKUP_S = 1.0
_PER_ZONE = 3
"""So many of a zone are watched, another choice by each canary: the work does not grow with the estate's square."""


class Neighbours:
    """Links to every address the names resolve to. To be made in a running event loop."""

    def __init__(
        self, board: Board, knocks: Knocks, datagrams: Datagrams, names: Sequence[Names], port: int
    ) -> None:
        self._board = board
        self._knocks = knocks
        self._datagrams = datagrams
        self._port = port
        self._sender = secrets.token_hex(4)
        self._number = 0
        self._links: dict[str, Link] = {}
        self._listed: dict[Names, frozenset[str]] = {}
        for one in names:
            follow(one, partial(self._take, one), every_s=_LOOKUP_S)

    def tick(self) -> None:
        """Try everything once."""
        self._number += 1
        said = datagram(Datagram(self._board.zone, self._sender, self._number))
        for link in self._watched():
            link.tick()
            if link.zone is not None:
                self._datagrams.send(said, link.address, self._port)

    def _watched(self) -> list[Link]:
        watched = []
        count: dict[str | None, int] = {}
        for link in self._links.values():
            if link.ours:
                continue
            count[link.zone] = count.get(link.zone, 0) + 1
            if link.zone is None or count[link.zone] <= _PER_ZONE:
                watched.append(link)
            else:
                link.close()
        return watched

    def _take(self, names: Names, addresses: frozenset[str]) -> None:
        self._listed[names] = addresses
        wanted: frozenset[str] = frozenset().union(*self._listed.values())
        for address in self._links.keys() - wanted:
            self._links.pop(address).close()
        for address in wanted - self._links.keys():
            self._links[address] = Link(self._board, self._knocks, address, self._port)
        self._links = dict(sorted(self._links.items(), key=lambda item: self._rank(item[0])))

    def _rank(self, address: str) -> tuple[int, str]:
        return zlib.crc32(f"{self._sender} {address}".encode()), address
