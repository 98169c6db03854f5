"""What a canary knows: of each pair and path, when it last worked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from stormdrill.canary.wire import Datagram

TICK_S = 0.2
SILENT_S = 1.0
"""A path on which nothing worked for so long is down."""

_NAP_S = 0.5
_SENDERS = 256


class Path(StrEnum):
    """How the other side is reached. UDP is judged where it arrives: a one-way cut shows on one side only."""

    HELD = "tcp-held"
    NEW = "tcp-new"
    UDP = "udp"
    DATABASE = "database"
    CONTROL_PLANE = "control-plane"


class Awake:
    """Seconds during which this process ran, as far as its ticks tell.

    Silence is counted on it: a canary that was not given the processor has not heard anything, and must not take
    that for a cut.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last = monotonic()
        self._awake_s = 0.0
        self.overslept_s = 0.0

    def now(self) -> float:
        """Seconds awake so far."""
        return self._awake_s + min(self._monotonic() - self._last, _NAP_S)

    def tick(self) -> None:
        """Note that the process runs; due every TICK_S seconds."""
        now = self._monotonic()
        gap_s = now - self._last
        self._awake_s += min(gap_s, _NAP_S)
        self.overslept_s += max(0.0, gap_s - _NAP_S)
        self._last = now


@dataclass(frozen=True)
class Reading:
    """One path to one peer (a zone, or what the path is named after)."""

    peer: str
    path: Path
    up: bool
    silence_s: float


@dataclass
class _Sight:
    at: float
    worked: bool = False


class Board:
    """Sightings of one canary, in its zone. A pair stays on the board once it is known."""

    def __init__(self, zone: str, clock: Awake) -> None:
        self.zone = zone
        self.clock = clock
        self.received: dict[str, int] = {}
        """Datagrams that arrived, by the sender's zone."""
        self.missing: dict[str, int] = {}
        """Numbers that were passed over, by the sender's zone."""
        self.held = 0
        """Held connections that were made."""
        self._sights: dict[tuple[str, Path], _Sight] = {}
        self._numbers: dict[tuple[str, str], int] = {}

    def know(self, peer: str, *paths: Path) -> None:
        """Put the paths to a peer on the board; silent from now on until they work."""
        for path in paths:
            self._sights.setdefault((peer, path), _Sight(self.clock.now()))
        if Path.UDP in paths:
            self.received.setdefault(peer, 0)
            self.missing.setdefault(peer, 0)

    def worked(self, peer: str, path: Path) -> None:
        """Note that a known path to a peer worked just now."""
        sight = self._sights[peer, path]
        sight.at, sight.worked = self.clock.now(), True

    def arrived(self, said: Datagram) -> None:
        """Note a datagram. Of a zone that is no peer it is dropped: anybody can send one."""
        if (said.zone, Path.UDP) not in self._sights:
            return
        self.worked(said.zone, Path.UDP)
        self.received[said.zone] += 1
        sender = (said.zone, said.sender)
        last = self._numbers.pop(sender, said.number - 1)
        self.missing[said.zone] += max(0, said.number - last - 1)
        self._numbers[sender] = max(last, said.number)
        if len(self._numbers) > _SENDERS:  # the one that was silent for longest
            del self._numbers[next(iter(self._numbers))]

    def readings(self) -> Iterator[Reading]:
        """Yield every pair and path, as of now."""
        now = self.clock.now()
        for (peer, path), sight in sorted(self._sights.items()):
            silence_s = max(0.0, now - sight.at)
            yield Reading(peer, path, sight.worked and silence_s < SILENT_S, silence_s)
