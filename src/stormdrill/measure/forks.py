"""The old timeline after a change of hands: what was committed there that the new one does not have.

`fork*.json` in the run directory (`stormdrill.fork/1`) holds what a director read of the old members before they
were overwritten: each one's commits beyond the common history, with its own clock's times, and the movements that
the new site does not have. `clock_error_s` (absent: not known) says how far that clock may be from ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stormdrill.measure.books import Books, pack_keys
from stormdrill.measure.chronicle import Chronicle
from stormdrill.measure.failover_values import Dual, Forked, Takeover
from stormdrill.measure.loss import NEVER, Intents
from stormdrill.records.layout import Legend
from stormdrill.units import NS_PER_S

SCHEMA = "stormdrill.fork/1"
CLOCK_ASSUMED_S = 0.5
"""What a clock that nobody compared may be off when a commit is called earlier; later it proves nothing."""


@dataclass(frozen=True)
class Row:
    """One movement that only the old timeline has; 0 is not known."""

    key: str
    amount: int
    source: int
    target: int


@dataclass(frozen=True)
class Fork:
    """What was read of the old members. Not `complete` means that there may be more on the old timeline.

    `committed_ns` are the commits of the member that has most, by its own clock, on the history's.
    """

    cell: str
    complete: bool
    why: str
    clock_error_s: float | None
    rows: tuple[Row, ...]
    committed_ns: tuple[int | None, ...]


def parse_fork(raw: Any, story: Chronicle) -> Fork:
    """The stored form to values. ValueError or KeyError on anything else."""
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise ValueError(f"not a {SCHEMA}")
    error_s = raw.get("clock_error_s")
    unread = [member for member in raw["members"] if not member["read"]]
    commits: list[tuple[int | None, ...]] = [
        tuple(_time_ns(one.get("at"), story) for one in member["commits"]) for member in raw["members"]
    ]
    return Fork(
        cell=str(raw["database"]),
        complete=not unread and bool(raw["members"]),
        why="; ".join(f"{member['member']}: {member.get('why') or 'not read'}" for member in unread),
        clock_error_s=None if error_s is None else float(error_s),
        rows=tuple(_row(item) for item in raw["lost"]),
        committed_ns=_longest(commits),
    )


def _longest(commits: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
    return max(commits, key=lambda one: len(one), default=())  # noqa: PLW0108 - mypy cannot tell it from len


def fork_files(directory: Path) -> list[Path]:
    """The exports of a run, by name: the drill's own after those of people's runbook."""
    return [*sorted((directory / "runbook").glob("fork*.json")), *sorted(directory.glob("fork*.json"))]


@dataclass(frozen=True)
class Known:
    """What phones meant, and what the new timeline has."""

    meant: Intents
    books: Books
    legend: Legend
    story: Chronicle

    def s(self, at_ns: int) -> float:
        """Seconds from t0."""
        return round((at_ns - self.story.zero_ns) / NS_PER_S, 6)


def duals(
    found: tuple[Takeover, ...],
    forks: Mapping[str, Fork],
    known: Known,
) -> tuple[Dual, ...]:
    """Dual writes of each cell that changed hands, from its first change on."""
    first = {one.cell: one for one in reversed(found) if one.phase != "return"}
    return tuple(_dual(one, forks.get(cell), known) for cell, one in sorted(first.items()))


def _dual(one: Takeover, fork: Fork | None, known: Known) -> Dual:
    from_ns = known.story.zero_ns + round(one.first_write_s * NS_PER_S)
    if fork is None:
        return _by_witness(one, from_ns, known)
    rows = _forked(fork, from_ns, known)
    certain = [row for row in rows if row.dual == "yes"]
    judged = [_by_clock(at_ns, from_ns, fork.clock_error_s) for at_ns in fork.committed_ns]
    later_ns = [
        at_ns
        for at_ns, said in zip(fork.committed_ns, judged, strict=True)
        if said == "yes" and at_ns is not None
    ]
    count = max(len(certain), len(later_ns))
    # A commit is a movement or something else; of the movements nobody says which commit each is.
    open_ = max(sum(row.dual == "undecided" for row in rows) if not judged else 0, judged.count("undecided"))
    return Dual(
        cell=one.cell,
        fork="read" if fork.complete else "partial",
        why=fork.why,
        seen_by="fork",
        commits=len(fork.committed_ns),
        rows=len(rows),
        amount=sum(row.amount for row in rows),
        count=count,
        acknowledged=sum(row.acknowledged_s is not None for row in certain),
        undecided=max(0, open_ - len(certain)),
        last_s=round((max(later_ns) - from_ns) / NS_PER_S, 6) if later_ns else None,
        clock_error_s=fork.clock_error_s if later_ns else None,
        movements=tuple(rows),
    )


def _by_witness(one: Takeover, from_ns: int, known: Known) -> Dual:
    """Without an export: what was told to phones to be done, after the new timeline's first write, and is not there."""
    meant = known.meant
    cells = [number for number, name in enumerate(known.legend.cells) if name == one.cell]
    there = np.isin(meant.keys, known.books.keys)
    rows = meant.acknowledged & ~there & (meant.intent_ns > from_ns) & np.isin(meant.cell, cells)
    count = int(rows.sum()) if known.books.reader != "none" else 0
    return Dual(
        cell=one.cell,
        fork="none",
        why="the old timeline was not exported",
        seen_by="witness",
        commits=0,
        rows=0,
        amount=0,
        count=count,
        acknowledged=count,
        undecided=0,
        last_s=None,
        clock_error_s=None,
        movements=(),
    )


def _forked(fork: Fork, from_ns: int, known: Known) -> list[Forked]:
    if not fork.rows:
        return []
    keys = pack_keys(tuple(row.key for row in fork.rows))
    size = len(known.meant.keys)
    where = np.minimum(np.searchsorted(known.meant.keys, keys), max(size - 1, 0))
    mine = known.meant.keys[where] == keys if size else np.zeros(len(keys), np.bool_)
    there: npt.NDArray[np.bool_] = np.isin(keys, known.books.keys)
    found = [
        _movement(row, int(at) if ours else None, bool(both), known)
        for row, at, ours, both in zip(fork.rows, where, mine, there, strict=True)
    ]
    judged = [
        replace(one, dual=_is_dual(int(at) if ours else None, from_ns, known.meant))
        for one, at, ours in zip(found, where, mine, strict=True)
    ]
    return sorted(judged, key=lambda one: (one.meant_s is None, one.meant_s or 0.0, one.key))


def _movement(row: Row, at: int | None, both: bool, known: Known) -> Forked:
    meant, told = known.meant, None if at is None else int(known.meant.acknowledged_ns[at])
    if both:
        end = "on both timelines"
    elif at is None:
        end = "nobody meant it"
    elif told != NEVER:
        end = "acknowledged, not on the new timeline"
    else:
        end = "refused" if meant.refused[at] else "no answer"
    operations = known.legend.operations
    number = int(meant.operation[at]) if at is not None else len(operations)
    return Forked(
        key=row.key,
        operation=operations[number] if number < len(operations) else "",
        amount=row.amount,
        source=row.source,
        target=row.target,
        meant_s=None
        if at is None or int(meant.intent_ns[at]) == NEVER
        else known.s(int(meant.intent_ns[at])),
        acknowledged_s=None if told in (None, NEVER) else known.s(told or 0),
        end=end,
        dual="undecided",
    )


def _is_dual(at: int | None, from_ns: int, meant: Intents) -> str:
    """What was meant later was committed later, what was acknowledged before was committed before, on any clock."""
    if at is not None and NEVER != int(meant.intent_ns[at]) > from_ns:
        return "yes"
    return "no" if at is not None and int(meant.acknowledged_ns[at]) <= from_ns else "undecided"


def _by_clock(at_ns: int | None, from_ns: int, error_s: float | None) -> str:
    """Whether a commit came after `from_ns`. A clock that nobody compared proves nothing that is later."""
    if at_ns is None:
        return "undecided"
    error_ns = round((CLOCK_ASSUMED_S if error_s is None else error_s) * NS_PER_S)
    if at_ns <= from_ns - error_ns:
        return "no"
    return "yes" if error_s is not None and at_ns > from_ns + error_ns else "undecided"


def _row(item: Mapping[str, Any]) -> Row:
    return Row(str(item["key"]), *(int(item.get(name) or 0) for name in ("amount", "source", "target")))


def _time_ns(text: Any, story: Chronicle) -> int | None:
    """The database's time of a commit; None when it does not say in which zone."""
    try:
        when = datetime.fromisoformat(str(text).replace(" UTC", "+00:00"))
    except ValueError:
        return None
    return story.mono_ns(when.timestamp()) if when.tzinfo else None
