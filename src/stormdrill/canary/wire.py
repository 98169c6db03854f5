"""What canaries say to each other: one line of greeting over TCP, then echo; numbered datagrams over UDP."""

from __future__ import annotations

import re
from dataclasses import dataclass

PORT = 7400
"""TCP and UDP."""
METRICS_PORT = 7401
GREETING_LIMIT = 128
"""Bytes; a peer that says more before its first line end is none."""

_VERSION = "stormdrill-canary/1"
_GREETING = re.compile(rf"{_VERSION} ([A-Za-z0-9._-]{{1,63}})\n".encode())
_DATAGRAM = re.compile(rf"{_VERSION} ([A-Za-z0-9._-]{{1,63}}) ([0-9a-f]{{1,16}}) ([0-9]{{1,18}})\n".encode())
_ZONE = re.compile(r"[A-Za-z0-9._-]{1,63}")


@dataclass(frozen=True)
class Datagram:
    """One numbered datagram. `sender` tells apart the canaries of a zone, and the lives of one canary."""

    zone: str
    sender: str
    number: int


def is_zone(text: str) -> bool:
    """Whether a zone can have this name on the wire (what Kubernetes takes as a label's value)."""
    return bool(_ZONE.fullmatch(text))


def greeting(zone: str) -> bytes:
    """What a canary says first to who connects."""
    return f"{_VERSION} {zone}\n".encode()


def greeted_zone(line: bytes) -> str | None:
    """The zone of a greeting (with its line end); None when it is none."""
    found = _GREETING.fullmatch(line)
    return found[1].decode() if found else None


def datagram(said: Datagram) -> bytes:
    """The bytes of a datagram."""
    return f"{_VERSION} {said.zone} {said.sender} {said.number}\n".encode()


def datagram_of(data: bytes) -> Datagram | None:
    """Read a datagram; None when it is none of ours."""
    found = _DATAGRAM.fullmatch(data)
    return Datagram(found[1].decode(), found[2].decode(), int(found[3])) if found else None
