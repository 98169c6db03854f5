"""`books.json` as arrays: what the bank's own books say was booked since the high water."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stormdrill.measure.money_values import HARMS, Invariant
from stormdrill.records.layout import key_bytes

_UUID_CHARS = 36


@dataclass(frozen=True)
class Books:
    """Booked movements by row. An amount or account of 0 is not known to the reader.

    `complete` false means that the reader did not see everything; `why` says what it missed. `shows` are the
    harms that a reader of this kind can show at all. `read_from_ns` is when reading began, where that is told.
    `cells` says in whose books each row stands, where each cell has its own (else it is empty), and `unread` which
    cells' books were not read in full although others' were.
    """

    reader: str
    complete: bool
    why: str
    shows: tuple[str, ...]
    keys: npt.NDArray[np.bytes_]
    amounts: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    invariants: tuple[Invariant, ...]
    read_from_ns: int | None = None
    cells: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


NO_BOOKS = Books(
    "none", False, "the books were not read", (),
    np.empty(0, "S16"), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), (),
)  # fmt: skip


def parse_books(raw: dict[str, Any]) -> Books:
    """The stored form to arrays."""
    if raw.get("reader", "none") == "none":
        return Books(**{**NO_BOOKS.__dict__, "why": raw.get("why") or "the topology names no audit reader"})
    columns = list(zip(*raw["movements"], strict=True)) or [()] * 6
    return Books(
        reader=raw["reader"],
        complete=bool(raw["complete"]),
        why=raw.get("why") or "",
        shows=_shows(raw.get("shows")),
        keys=pack_keys(columns[0]),
        amounts=_known(columns[1]),
        sources=_known(columns[2]),
        targets=_known(columns[3]),
        invariants=tuple(
            Invariant(
                item["id"],
                None if item["value"] is None else float(item["value"]),
                float(item["expect"]),
                item.get("cell", ""),
                item.get("why", ""),
                item.get("parts", {}),
                item.get("odd", {}),
            )
            for item in raw.get("invariants", ())
        ),
        read_from_ns=raw.get("read_from_ns"),
        cells=columns[5] if len(columns) > 5 else (),
        unread=tuple(raw.get("unread", ())),
    )


def _shows(stated: list[str] | None) -> tuple[str, ...]:
    """What the reader says it can show; a reader that says nothing shows all. ValueError on what is no harm."""
    if stated is None:
        return HARMS
    if unknown := set(stated) - set(HARMS):
        raise ValueError(f"the books show an unknown class: {', '.join(sorted(unknown))}")
    return tuple(name for name in HARMS if name in stated)


def pack_keys(texts: tuple[str, ...]) -> npt.NDArray[np.bytes_]:
    """Keys as 16 bytes each. UUIDs are converted all at once; other texts one by one, to their digest."""
    if all(len(text) == _UUID_CHARS for text in texts):
        try:
            return np.frombuffer(bytes.fromhex("".join(texts).replace("-", "")), "S16")
        except ValueError:
            pass
    return np.array([key_bytes(text) for text in texts], "S16")


def _known(values: tuple[Any, ...]) -> npt.NDArray[np.int64]:
    return np.array([0 if value is None else value for value in values], np.int64)
