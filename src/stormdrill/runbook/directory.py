"""Where a run of a runbook is kept: its history, a copy of the runbook as it was begun, and a lock.

In a drill's run directory it is a directory of its own, `runbook/`, since the drill writes its own history.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stormdrill import store
from stormdrill.errors import InputError
from stormdrill.runbook import journal
from stormdrill.runbook.values import Runbook

_HISTORY, _COPY, _LOCK = "history.jsonl", "runbook.md", ".lock"
_OURS = {_HISTORY, _COPY, _LOCK, _COPY + ".partial"}


@dataclass(frozen=True)
class Place:
    """One run's directory."""

    path: Path

    @property
    def history(self) -> Path:
        """Every step, as events."""
        return self.path / _HISTORY

    @property
    def copy(self) -> Path:
        """The runbook as it was when the run began."""
        return self.path / _COPY


def place(wanted: Path | None, runbook: Runbook, root: Path) -> Place:
    """The directory asked for, or the name of a new one under `root`. InputError when it holds something else."""
    if wanted is None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        return Place(_free(root / f"{stamp}-runbook-{runbook.name}"))
    path = _inside(wanted)
    if path.is_dir() and (others := sorted({child.name for child in path.iterdir()} - _OURS)):
        raise InputError(f"{path}: not a directory of a runbook's run: it holds {others[0]}")
    return Place(path)


def _inside(wanted: Path) -> Path:
    return wanted / "runbook" if store.Run(wanted).plan.exists() else wanted


def _free(path: Path) -> Path:
    tries = [path, *(path.with_name(f"{path.name}-{number}") for number in range(1, 100))]
    return next(one for one in tries if not one.exists())


@contextmanager
def held(where: Place) -> Iterator[None]:
    """Inside the block nobody else runs there. InputError when somebody does. A dead holder holds nothing."""
    store.need_directory(where.path)
    lock = os.open(where.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise InputError(f"{where.path}: somebody else is running a runbook there") from None
    finally:
        os.close(lock)


def base_of(wanted: Path | None) -> Path | None:
    """What file names of the runbook begun in `wanted` are relative to, also in its copy; None when none was."""
    start = journal.read_state(_inside(wanted) / _HISTORY).start if wanted else None
    return Path(str(start["base"])) if start and "base" in start else None


def begun(where: Place, runbook: Runbook) -> bool:
    """Whether this very runbook was begun there before; if not, its copy is put there.

    InputError when another one was, or when it has changed since.
    """
    start = journal.read_state(where.history).start
    if start is None:
        store.write_bytes(where.copy, runbook.path.read_bytes())
        return False
    if start.get("sha256") != runbook.sha256:
        raise InputError(
            f"{runbook.path}: not the runbook that was begun in {where.path}, or changed since; to go on with "
            f"what was begun: stormdrill runbook run {where.copy} --run {where.path}"
        )
    return True
