"""Everything measuring reads of a run directory.

What is missing is named, not invented: an aborted run is measured as far as it went.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from stormdrill import history
from stormdrill.errors import InputError
from stormdrill.history import Event
from stormdrill.measure.books import NO_BOOKS, Books, parse_books
from stormdrill.measure.chronicle import Chronicle, chronicle
from stormdrill.measure.forks import Fork, fork_files, parse_fork
from stormdrill.measure.generator import Seconds, read_seconds
from stormdrill.measure.runbook_events import merged
from stormdrill.measure.series import Series, read_series
from stormdrill.plan import Plan
from stormdrill.records.layout import WITNESS, Legend
from stormdrill.records.reader import Records, read_directory
from stormdrill.store import Run, read_json

T = TypeVar("T")
FIXED_SERIES = ("_up", "_shed", "_admitted", "_inflight", "_limit", "_good")
BOOKS_THEN = "books-failover.json"
RUNBOOK = "runbook/history.jsonl"
EMPTY_WITNESS = Records(Legend("witness", (), (), (), (), 0, 0), np.empty(0, WITNESS), 0, 0)


@dataclass(frozen=True)
class Inputs:
    """A run directory, read. `requests` is None when there are none; `problems` says what was missing.

    `books_then` are the books as they were after a failover, before the return; None when nobody read them then.
    `forks` are the exports of old timelines, by cell.
    """

    run: Run
    plan: Plan
    story: Chronicle
    requests: Records | None
    witness: Records
    seconds: Seconds
    books: Books
    books_then: Books | None
    forks: dict[str, Fork]
    series: dict[str, Series | None]
    problems: tuple[str, ...]


def read_inputs(run: Run) -> Inputs:
    """Read a run directory. InputError when plan or history cannot be read: there is nothing to measure."""
    plan = Plan.from_json(read_json(run.plan))
    if not run.history.exists():
        raise InputError(f"{run.history}: missing; nothing was recorded")
    problems: list[str] = []
    people = _try(problems, lambda: _history(run.path / RUNBOOK)) or ()
    story = chronicle(merged(tuple(history.read(run.history)), people))
    witness = _try(problems, lambda: read_directory(run.witness))
    names = (*FIXED_SERIES, *(assertion.id for assertion in plan.experiment.assertions))
    return Inputs(
        run=run,
        plan=plan,
        story=story,
        requests=_try(problems, lambda: read_directory(run.requests)),
        witness=witness or EMPTY_WITNESS,
        seconds=_seconds(run, problems),
        books=_books(run.books, problems) or NO_BOOKS,
        books_then=_books(run.path / BOOKS_THEN, problems),
        forks=_forks(run, story, problems),
        series={name: _series(run.series / f"{name}.json", story, problems) for name in names},
        problems=tuple(text.replace(f"{run.path}/", "") for text in problems),
    )


def _history(path: Path) -> tuple[Event, ...]:
    return tuple(history.read(path)) if path.exists() else ()


def _seconds(run: Run, problems: list[str]) -> Seconds:
    found = _try(problems, lambda: read_seconds(run.requests / "generator.jsonl"))
    return found if found is not None else read_seconds(Path(run.path, "absent"))


def _books(path: Path, problems: list[str]) -> Books | None:
    return _try(problems, lambda: parse_books(read_json(path))) if path.exists() else None


def _forks(run: Run, story: Chronicle, problems: list[str]) -> dict[str, Fork]:
    def read(path: Path) -> Fork | None:
        return _try(problems, lambda: parse_fork(read_json(path), story))

    return {fork.cell: fork for path in fork_files(run.path) if (fork := read(path)) is not None}


def _series(path: Path, story: Chronicle, problems: list[str]) -> Series | None:
    return _try(problems, lambda: read_series(path, story))


def _try(problems: list[str], read: Callable[[], T]) -> T | None:
    """`read()`, or None with its complaint kept."""
    try:
        return read()
    except InputError as error:
        problems.append(str(error))
    except (KeyError, TypeError, ValueError) as error:
        problems.append(f"cannot be read: {error!r}")
    return None
