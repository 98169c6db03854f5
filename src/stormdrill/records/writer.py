"""Append records of requests and of witnessed movements, each with its CRC."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import asdict
from pathlib import Path

from stormdrill.records.appended import AppendedFile
from stormdrill.records.layout import HEADER_BYTES, KINDS, MAGIC, VERSION, Legend

_REQUEST = struct.Struct("<QqqqIHBBBBBBH14x")
_WITNESS = struct.Struct("<Qqq16sqqqBBHHBBq12x")
_CRC = struct.Struct("<I")


def header(legend: Legend) -> bytes:
    """The first 4,096 bytes of a file. ValueError when the legend does not fit."""
    text = json.dumps(asdict(legend), separators=(",", ":")).encode()
    head = MAGIC + struct.pack("<HHI", VERSION, KINDS[legend.kind].itemsize, len(text)) + text
    if len(head) > HEADER_BYTES:
        raise ValueError(f"legend too long for the header: {len(head)} > {HEADER_BYTES} bytes")
    return head.ljust(HEADER_BYTES, b"\0")


class RecordFile(AppendedFile):
    """One file of records; `written` counts them."""

    def __init__(self, path: Path, legend: Legend) -> None:
        super().__init__(path)
        self.written = 0
        self._write(header(legend))

    def _append(self, body: bytes) -> None:
        """Write one record now. OSError when it was not written whole."""
        self._write(body + _CRC.pack(zlib.crc32(body)))
        self.written += 1


class RequestLog(RecordFile):
    """Writer of `requests/*.rec`."""

    def append(
        self,
        *,
        seq: int,
        due_ns: int,
        sent_ns: int,
        answered_ns: int,
        session: int,
        operation: int,
        cell: int,
        attempt: int,
        outcome: int,
        reason: int,
        site: int,
        flags: int,
        status: int,
    ) -> None:
        """Write one attempt now."""
        self._append(
            _REQUEST.pack(
                seq,
                due_ns,
                sent_ns,
                answered_ns,
                session,
                operation,
                cell,
                min(attempt, 255),
                outcome,
                reason,
                site,
                flags,
                status,
            )
        )


class WitnessJournal(RecordFile):
    """Writer of `witness/*.rec`."""

    def append(
        self,
        *,
        seq: int,
        mono_ns: int,
        wall_ns: int,
        key: bytes,
        amount: int,
        source: int,
        target: int,
        act: int,
        attempt: int,
        operation: int,
        status: int,
        cell: int,
        flags: int,
        movement: int = 0,
    ) -> None:
        """Write one act now; an intent must be written before its request is sent."""
        self._append(
            _WITNESS.pack(
                seq,
                mono_ns,
                wall_ns,
                key,
                amount,
                source,
                target,
                act,
                min(attempt, 255),
                operation,
                status,
                cell,
                flags,
                movement,
            )
        )
