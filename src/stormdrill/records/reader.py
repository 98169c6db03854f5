"""Read record files back: memory-mapped, CRC-checked in vector form, torn tails and bad records counted."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stormdrill.errors import InputError
from stormdrill.records.layout import HEADER_BYTES, KINDS, MAGIC, VERSION, Legend

_CHUNK = 1 << 18


@dataclass(frozen=True)
class Records:
    """Good records of one or more files with the same legend, in order of file and position."""

    legend: Legend
    data: npt.NDArray[Any]
    bad: int  # records whose CRC does not match
    torn_bytes: int  # bytes after the last whole record


def read_legend(path: Path) -> Legend:
    """The header's legend. InputError when the file is not ours or of another version."""
    with path.open("rb") as stream:
        head = stream.read(HEADER_BYTES)
    if len(head) < HEADER_BYTES or head[:8] != MAGIC:
        raise InputError(f"{path}: not a record file")
    version, size, length = struct.unpack_from("<HHI", head, 8)
    if version != VERSION:
        raise InputError(f"{path}: format version {version}, this program reads {VERSION}")
    raw = json.loads(head[16 : 16 + length])
    names = ("operations", "tiers", "cells", "sites")
    legend = Legend(**{**raw, **{name: tuple(raw[name]) for name in names}})
    if KINDS[legend.kind].itemsize != size:
        raise InputError(f"{path}: records of {size} bytes, expected {KINDS[legend.kind].itemsize}")
    return legend


def read_file(path: Path) -> Records:
    """One file's records."""
    legend = read_legend(path)
    dtype = KINDS[legend.kind]
    count, torn = divmod(path.stat().st_size - HEADER_BYTES, dtype.itemsize)
    if count == 0:
        return Records(legend, np.empty(0, dtype), 0, torn)
    mapped = np.memmap(path, dtype=dtype, mode="r", offset=HEADER_BYTES, shape=(count,))
    good = _crc_matches(mapped)
    bad = int(count - good.sum())
    return Records(legend, np.asarray(mapped) if bad == 0 else mapped[good], bad, torn)


def read_directory(path: Path) -> Records:
    """All `*.rec` files of a directory, joined. InputError when there is none or legends differ."""
    parts = [read_file(file) for file in sorted(path.glob("*.rec"))]
    if not parts:
        raise InputError(f"{path}: no record files")
    first = parts[0].legend
    for part in parts[1:]:
        if (part.legend.kind, part.legend.operations) != (first.kind, first.operations):
            raise InputError(f"{path}: record files of different legends")
    data = parts[0].data if len(parts) == 1 else np.concatenate([part.data for part in parts])
    return Records(first, data, sum(part.bad for part in parts), sum(part.torn_bytes for part in parts))


def _crc_table() -> npt.NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0xEDB88320), table >> 1).astype(np.uint32)
    return table


_TABLE = _crc_table()


def _crc_matches(records: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """CRC-32 of every record at once, column by column; chunked to stay in cache."""
    good = np.empty(len(records), np.bool_)
    size = records.dtype.itemsize
    for start in range(0, len(records), _CHUNK):
        chunk = records[start : start + _CHUNK]
        raw = np.ascontiguousarray(np.asarray(chunk).view(np.uint8).reshape(-1, size).T)
        crc = np.full(len(chunk), 0xFFFFFFFF, np.uint32)
        for column in raw[:-4]:
            crc = _TABLE[(crc ^ column) & 0xFF] ^ (crc >> np.uint32(8))
        good[start : start + len(chunk)] = (crc ^ np.uint32(0xFFFFFFFF)) == chunk["crc"]
    return good
