"""Round-trip times as packets have them: ICMP echoes from one site's namespace to others, answered by the kernel."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from stormlab.errors import LabError
from stormlab.net import netns
from stormlab.net.checksum import ones_sum

ECHOES = 5
"""Sent to each site, and so many round trips are measured at most."""
_EVERY_S = 0.02
_SO_TIMESTAMPNS = 35
_REQUEST, _REPLY = 8, 0
_HEADER = struct.Struct("!BBHHH")
_SENT = struct.Struct("!Q")
_NS = struct.Struct("=qq")


@dataclass(frozen=True)
class Echoes:
    """What came of the echoes to one site."""

    sent: int
    rtts_ms: tuple[float, ...]
    """Of those that were answered in time."""

    @property
    def rtt_ms(self) -> float | None:
        """The median; None when nothing was answered."""
        return round(median(self.rtts_ms), 3) if self.rtts_ms else None


def measure(namespace: str, addresses: Mapping[str, str], wait_s: float) -> dict[str, Echoes]:
    """Ask every address (by the site's name) from inside the namespace; answers later than `wait_s` are lost.

    Takes `wait_s` at most after the last echo, less when all is answered. Raises LabError without the namespace.
    """
    if not addresses:
        return {}
    try:
        with netns.within(namespace, _socket) as opened:
            return _ask(opened, addresses, wait_s)
    except OSError as error:
        raise LabError(f"echoes from {namespace}: {error.strerror or error}") from error


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
    # When the kernel took the answer in: how long we then wait for a processor does not count.
    made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return made


def _ask(opened: socket.socket, addresses: Mapping[str, str], wait_s: float) -> dict[str, Echoes]:
    name_of = {address: name for name, address in addresses.items()}
    found: dict[str, dict[int, float]] = {name: {} for name in addresses}
    identity = int.from_bytes(os.urandom(2))
    sent, next_s = 0, time.monotonic()
    while True:
        now_s = time.monotonic()
        if now_s >= next_s:
            if sent == ECHOES:
                break
            for address in name_of:
                _send(opened, address, identity, sent)
            sent += 1
            next_s = now_s + (_EVERY_S if sent < ECHOES else wait_s)
        if select.select([opened], [], [], max(0.0, next_s - time.monotonic()))[0]:
            _take(opened, identity, name_of, found)
        if sent == ECHOES and all(len(each) == ECHOES for each in found.values()):
            break
    return {name: Echoes(sent, tuple(each.values())) for name, each in found.items()}


def _send(opened: socket.socket, address: str, identity: int, number: int) -> None:
    stamp = _SENT.pack(time.time_ns())
    head = _HEADER.pack(_REQUEST, 0, 0, identity, number)
    head = _HEADER.pack(_REQUEST, 0, ~ones_sum(head + stamp) & 0xFFFF, identity, number)
    try:
        opened.sendto(head + stamp, (address, 0))
    except OSError:
        return  # refused on the way out, by a rule of the node say: it is not answered then


def _take(
    opened: socket.socket, identity: int, name_of: Mapping[str, str], found: dict[str, dict[int, float]]
) -> None:
    """Note every answer that is there; the socket also sees what is none of ours."""
    while True:
        try:
            packet, notes, _, (address, _) = opened.recvmsg(2048, 64)
        except BlockingIOError:
            return
        message = packet[(packet[0] & 15) * 4 :]
        if len(message) < _HEADER.size + _SENT.size or address not in name_of:
            continue
        kind, _, _, whose, number = _HEADER.unpack_from(message)
        if kind == _REPLY and whose == identity:
            (sent_ns,) = _SENT.unpack_from(message, _HEADER.size)
            found[name_of[address]][number] = (_received_ns(notes) - sent_ns) / 1e6


def _received_ns(notes: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in notes:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _NS.unpack_from(data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return time.time_ns()
