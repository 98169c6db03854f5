"""What is watched beside canaries: the databases and the control plane, by new connections."""

from __future__ import annotations

from dataclasses import dataclass

from stormdrill.canary.board import Board, Path
from stormdrill.canary.knock import Knocks
from stormdrill.canary.lookup import Names, follow

_MOST = 3
_LOOKUP_S = 3.0


@dataclass(frozen=True)
class Target:
    """One service. `peer` names it on the board: the zone it is in, if it is in one."""

    peer: str
    path: Path
    host: str
    port: int


def target_of(text: str, path: Path) -> Target:
    """Read `[PEER=]HOST:PORT`; without a peer it is called like the path. ValueError otherwise."""
    peer, equals, place = text.rpartition("=")
    host, colon, port = place.rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536 and bool(peer) == bool(equals)):
        raise ValueError(f"not [ZONE=]HOST:PORT: {text!r}")
    return Target(peer or path.value, path, host, int(port))


class Service:
    """A target and its addresses. To be made in a running event loop."""

    def __init__(self, board: Board, knocks: Knocks, target: Target) -> None:
        self._board = board
        self._knocks = knocks
        self._target = target
        self._addresses: list[str] = []
        board.know(target.peer, target.path)
        follow(Names(target.host), self._take, every_s=_LOOKUP_S)

    def tick(self) -> None:
        """Knock at the first few of its addresses; it works when one answers."""
        for address in self._addresses:
            self._knocks.start(address, self._target.port, self._answered)

    def _take(self, addresses: frozenset[str]) -> None:
        self._addresses = sorted(addresses)[:_MOST]

    def _answered(self) -> None:
        self._board.worked(self._target.peer, self._target.path)
