"""The record format, version 1: field by field, little-endian, with the legend kept in the header.

A request record is one *attempt* at one logical request (`seq`); a step that was due but never sent is one
record too (outcome `blocked` or `dropped`). A witness record is one act on one money movement: the intent,
written before the send, or what is known after it. Times are CLOCK_MONOTONIC nanoseconds of the generator's
machine; the legend holds one pair of monotonic and wall clock readings to convert them. 0 means "never".
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

import numpy as np

MAGIC = b"STORMREC"
VERSION = 1
HEADER_BYTES = 4096


class Outcome(IntEnum):
    """What became of one attempt."""

    GOOD = 0  # answered correctly (the deadline is judged later, from the times)
    SHED = 1  # refused on purpose, fast (429, or 503 with a reason)
    FAILED = 2  # answered wrongly, or known not to have been done
    UNKNOWN = 3  # sent, and not answered or not clearly: may or may not have been done
    BLOCKED = 4  # due, but unreachable because an earlier step failed
    DROPPED = 5  # due, but the generator had no free user


class Reason(IntEnum):
    """Why an attempt was not good, as far as the client can tell."""

    NONE = 0
    OVERLOAD = 1
    RATE = 2
    CONNECT = 3  # no connection: nothing was sent
    RESET = 4  # connection lost after the request was sent
    TIMEOUT = 5
    STATUS = 6  # an error status
    CONTENT = 7  # right status, wrong answer
    DEPENDENCY = 8
    PHASE_END = 9  # still in flight when the load stopped
    ABANDONED = 10  # the customer gave up


class Flag(IntFlag):
    """Marks on an attempt."""

    FINAL = 1  # the last attempt of its logical request
    PROBE = 2  # pre-authenticated probe, not a session
    WRITE = 4


class Act(IntEnum):
    """What a witness record states about its movement."""

    INTENT = 0
    OK = 1
    FAIL = 2  # refused: known not to have been done by this attempt
    UNKNOWN = 3


REQUEST = np.dtype(
    [
        ("seq", "<u8"),
        ("due_ns", "<i8"),
        ("sent_ns", "<i8"),
        ("answered_ns", "<i8"),
        ("session", "<u4"),
        ("operation", "<u2"),
        ("cell", "u1"),
        ("attempt", "u1"),
        ("outcome", "u1"),
        ("reason", "u1"),
        ("site", "u1"),
        ("flags", "u1"),
        ("status", "<u2"),
        ("reserved", "V14"),
        ("crc", "<u4"),
    ]
)

WITNESS = np.dtype(
    [
        ("seq", "<u8"),
        ("mono_ns", "<i8"),
        ("wall_ns", "<i8"),
        ("key", "V16"),
        ("amount", "<i8"),
        ("source", "<i8"),
        ("target", "<i8"),
        ("act", "u1"),
        ("attempt", "u1"),
        ("operation", "<u2"),
        ("status", "<u2"),
        ("cell", "u1"),
        ("flags", "u1"),
        ("movement", "<i8"),
        ("reserved", "V12"),
        ("crc", "<u4"),
    ]
)

KINDS: dict[str, np.dtype[Any]] = {"requests": REQUEST, "witness": WITNESS}


@dataclass(frozen=True)
class Legend:
    """What the numbers in a file stand for. Index in `operations`, `cells`, `sites` is the stored number."""

    kind: str
    operations: tuple[str, ...]
    tiers: tuple[str, ...]  # tier of each operation
    cells: tuple[str, ...]
    sites: tuple[str, ...]
    mono_ns: int
    wall_ns: int
    source: str = "load-0"


def key_bytes(text: str) -> bytes:
    """The 16 bytes an idempotency key is stored as: a UUID's own, otherwise a BLAKE2 digest of the text."""
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


def key_text(key: bytes) -> str:
    """A stored key in UUID notation (for keys that were not UUIDs: the digest in that notation)."""
    return str(uuid.UUID(bytes=bytes(key)))
