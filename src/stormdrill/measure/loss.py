"""Data loss: every movement that a phone meant to make, held against the bank's books by its key.

One key is one movement, however often the phone tried. Acknowledged: some attempt was answered ok. Refused:
every attempt is known not to have been done. Unknown: the rest; it may or may not be booked, both are right.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stormdrill.measure.books import Books
from stormdrill.measure.money_values import CellLoss, Loss, Movement, Risk, Tally
from stormdrill.records.layout import Act, Legend, key_text
from stormdrill.units import NS_PER_S

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
NEVER = np.iinfo(np.int64).max
# The ends that a key can come to; the first that fits counts. `ghost` is a booked key that nobody meant, `unread` one
# that is not there, of a cell whose books were not read.
ENDS = (
    "duplicated",
    "altered",
    "unread",
    "lost",
    "durable",
    "refused_booked",
    "refused",
    "unknown_booked",
    "unknown_absent",
)
LISTED = ("lost", "duplicated", "altered", "ghost", "refused_booked", "unknown_booked", "unknown_absent")


@dataclass(frozen=True)
class Intents:
    """One row per key: what was meant, and the best that is known of it. Times in monotonic nanoseconds."""

    keys: npt.NDArray[np.bytes_]
    amount: Ints
    source: Ints
    target: Ints
    operation: Ints
    cell: Ints
    intent_ns: Ints
    acknowledged_ns: Ints  # NEVER when no attempt was acknowledged
    refused: Bools

    @property
    def acknowledged(self) -> Bools:
        """Which movements some client was told were done."""
        return np.asarray(self.acknowledged_ns != NEVER, np.bool_)

    def acknowledged_in(self, cell: str, legend: Legend) -> Ints:
        """When movements of a cell's customers were acknowledged, in order."""
        return np.sort(self.acknowledged_ns[self.acknowledged & self.of([cell], legend)])

    def of(self, cells: Collection[str], legend: Legend) -> Bools:
        """Which movements are of customers of these cells."""
        numbers = [number for number, name in enumerate(legend.cells) if name in cells]
        return np.asarray(np.isin(self.cell, numbers), np.bool_)


def intents(witness: npt.NDArray[Any]) -> Intents:
    """Join the acts of each key."""
    keys = np.ascontiguousarray(witness["key"]).view("S16")
    high, low = np.ascontiguousarray(witness["key"]).view(">u8").reshape(-1, 2).T if len(keys) else ([], [])
    order = np.lexsort((witness["mono_ns"], low, high))
    acts, keys = witness[order], keys[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.empty(0, np.int64)
    if not len(starts):
        empty = np.empty(0, np.int64)
        return Intents(keys, empty, empty, empty, empty, empty, empty, empty, np.empty(0, np.bool_))
    count = {act: np.add.reduceat(acts["act"] == act, starts, dtype=np.int64) for act in Act}
    acknowledged = np.minimum.reduceat(np.where(acts["act"] == Act.OK, acts["mono_ns"], NEVER), starts)
    refused = (
        (count[Act.OK] == 0)
        & (count[Act.UNKNOWN] == 0)
        & (count[Act.FAIL] >= np.maximum(count[Act.INTENT], 1))
    )
    head = acts[starts]
    return Intents(
        keys=keys[starts],
        amount=head["amount"].astype(np.int64),
        source=head["source"].astype(np.int64),
        target=head["target"].astype(np.int64),
        operation=head["operation"].astype(np.int64),
        cell=head["cell"].astype(np.int64),
        intent_ns=np.minimum.reduceat(np.where(acts["act"] == Act.INTENT, acts["mono_ns"], NEVER), starts),
        acknowledged_ns=acknowledged,
        refused=refused,
    )


def loss(
    meant: Intents, books: Books, legend: Legend, zero_ns: int, risk: Risk, *, struck_ns: int | None = None
) -> Loss:
    """Classify every key. Without books nothing is claimed: `audited` is false, only unknowns are counted.

    Times count from `zero_ns`; what was lost, from `struck_ns`, when the fault was in place (None: the same).
    """
    struck_ns = zero_ns if struck_ns is None else struck_ns
    booked, amounts, altered, ghosts = _matched(meant, books)
    audited = books.reader != "none"
    unread = meant.of(books.unread, legend) if books.unread else None
    masks = _ends(meant, booked, altered, unread) if audited else _unaudited(meant)
    rows = _Rows(meant, booked, amounts, legend, zero_ns)
    tallies = {name: Tally(int(mask.sum()), int(meant.amount[mask].sum())) for name, mask in masks.items()}
    movements = {name: rows.movements(np.flatnonzero(masks[name])) for name in LISTED if name in masks}
    if audited:
        movements["ghost"] = tuple(_ghosts(books, ghosts))
        tallies["ghost"] = Tally(len(ghosts), int(books.amounts[ghosts].sum()))
    lost = masks.get("lost", np.zeros(len(meant.keys), np.bool_))
    acknowledged = int(meant.acknowledged.sum())
    return Loss(
        audited=audited,
        why=books.why,
        reader=books.reader,
        shows=books.shows,
        complete=audited and books.complete,
        intents=len(meant.keys),
        acknowledged=acknowledged,
        tallies=tallies,
        movements=movements,
        loss_s=_loss_s(meant, lost, struck_ns),
        lost_after_t0=int((meant.acknowledged_ns[lost] > struck_ns).sum()),
        upper_bound_ratio=_rule_of_three(acknowledged, int(lost.sum()), risk, shown="lost" in books.shows),
        risk=risk,
        invariants=books.invariants,
        cells=tuple(_by_cell(meant, books, legend, lost, struck_ns)) if len(legend.cells) > 1 else (),
    )


def _by_cell(meant: Intents, books: Books, legend: Legend, lost: Bools, struck_ns: int) -> Iterator[CellLoss]:
    for cell in legend.cells:
        mine = meant.of([cell], legend)
        gone = lost & mine
        yield CellLoss(
            cell=cell,
            read=books.complete or (bool(books.unread) and cell not in books.unread),
            intents=int(mine.sum()),
            acknowledged=int((meant.acknowledged & mine).sum()),
            lost=Tally(int(gone.sum()), int(meant.amount[gone].sum())),
            loss_s=_loss_s(meant, gone, struck_ns),
        )


def _loss_s(meant: Intents, lost: Bools, struck_ns: int) -> float:
    """From the earliest acknowledgement among the lost to when the fault was in place."""
    earliest_ns = int(meant.acknowledged_ns[lost].min()) if lost.any() else struck_ns
    return round(max(0.0, (struck_ns - earliest_ns) / NS_PER_S), 6)


def _matched(meant: Intents, books: Books) -> tuple[Ints, Ints, Bools, Ints]:
    """Per intent: times booked, booked amount, booked otherwise than meant; and the rows nobody meant."""
    size = len(meant.keys)
    where = np.minimum(np.searchsorted(meant.keys, books.keys), max(size - 1, 0))
    known = meant.keys[where] == books.keys if size else np.zeros(len(books.keys), np.bool_)
    rows = where[known]
    booked = np.bincount(rows, minlength=size)[:size]
    amounts = np.zeros(size, np.int64)
    amounts[rows] = books.amounts[known]
    differs = np.zeros(len(rows), np.bool_)
    for told, found in (
        (meant.amount, books.amounts),
        (meant.source, books.sources),
        (meant.target, books.targets),
    ):
        both = (told[rows] != 0) & (found[known] != 0)
        differs |= both & (told[rows] != found[known])
    altered = np.bincount(rows, differs, minlength=size)[:size] > 0
    return booked.astype(np.int64), amounts, altered, np.flatnonzero(~known)


def _ends(meant: Intents, booked: Ints, altered: Bools, unread: Bools | None) -> dict[str, Bools]:
    there, acknowledged, refused = booked > 0, meant.acknowledged, meant.refused
    wanted = {
        "duplicated": booked > 1,
        "altered": altered,
        "unread": ~there & ~refused & unread if unread is not None else np.zeros(len(booked), np.bool_),
        "lost": acknowledged & ~there,
        "durable": acknowledged & there,
        "refused_booked": refused & there,
        "refused": refused,
        "unknown_booked": there,
        "unknown_absent": np.ones(len(booked), np.bool_),
    }
    left = np.ones(len(booked), np.bool_)
    ends = {}
    for name in ENDS:
        if name == "unread" and unread is None:
            continue
        ends[name] = wanted[name] & left
        left &= ~wanted[name]
    return ends


def _unaudited(meant: Intents) -> dict[str, Bools]:
    return {"unknown_absent": ~meant.acknowledged & ~meant.refused, "refused": meant.refused}


def _rule_of_three(acknowledged: int, lost: int, risk: Risk, *, shown: bool) -> float | None:
    """Zero lost of n still allows a loss ratio of up to 3/n at 95 % confidence."""
    n = risk.at_risk if risk.path == "asynchronous" else acknowledged
    return round(min(1.0, 3 / n), 9) if shown and not lost and n else None


@dataclass(frozen=True)
class _Rows:
    meant: Intents
    booked: Ints
    amounts: Ints
    legend: Legend
    zero_ns: int

    def movements(self, rows: Ints) -> tuple[Movement, ...]:
        """Rows as values, by the time they were meant."""
        order = rows[np.argsort(self.meant.intent_ns[rows], kind="stable")]
        return tuple(self._movement(int(row)) for row in order)

    def _movement(self, row: int) -> Movement:
        meant = self.meant
        return Movement(
            key=key_text(meant.keys[row].ljust(16, b"\0")),
            operation=_name(self.legend.operations, int(meant.operation[row])),
            cell=_name(self.legend.cells, int(meant.cell[row])),
            amount=int(meant.amount[row]),
            source=int(meant.source[row]),
            target=int(meant.target[row]),
            intent_s=self._seconds(int(meant.intent_ns[row])),
            acknowledged_s=self._seconds(int(meant.acknowledged_ns[row])),
            booked=int(self.booked[row]),
            booked_amount=int(self.amounts[row]) if self.booked[row] else None,
        )

    def _seconds(self, at_ns: int) -> float | None:
        return None if at_ns == NEVER else round((at_ns - self.zero_ns) / NS_PER_S, 6)


def _ghosts(books: Books, rows: Ints) -> list[Movement]:
    return sorted((_ghost(books, int(row)) for row in rows), key=lambda movement: movement.key)


def _ghost(books: Books, row: int) -> Movement:
    amount = int(books.amounts[row])
    return Movement(
        key=key_text(books.keys[row].ljust(16, b"\0")),
        operation="",
        cell=books.cells[row] if books.cells else "",
        amount=amount,
        source=int(books.sources[row]),
        target=int(books.targets[row]),
        intent_s=None,
        acknowledged_s=None,
        booked=1,
        booked_amount=amount,
    )


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if number < len(names) else str(number)


def keys_by_class(found: Loss) -> Mapping[str, tuple[str, ...]]:
    """The keys of each listed class, for comparison with an independent reader."""
    return {name: tuple(movement.key for movement in items) for name, items in found.movements.items()}
