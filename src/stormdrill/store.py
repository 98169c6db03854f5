"""A run's directory: which file holds what, written so that a reader never sees half a file."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stormdrill.errors import InputError


@dataclass(frozen=True)
class Run:
    """One directory under `runs/`; the paths are its documented layout."""

    path: Path

    @property
    def id(self) -> str:
        """The run's name, `<utc>-<experiment>`."""
        return self.path.name

    @property
    def plan(self) -> Path:
        """What was going to happen, fixed and hashed before the start."""
        return self.path / "plan.json"

    @property
    def history(self) -> Path:
        """Events in order."""
        return self.path / "history.jsonl"

    @property
    def requests(self) -> Path:
        """Directory of request records."""
        return self.path / "requests"

    @property
    def witness(self) -> Path:
        """Directory of the witness journal."""
        return self.path / "witness"

    @property
    def series(self) -> Path:
        """Directory of the Prometheus samples that were judged."""
        return self.path / "series"

    @property
    def books(self) -> Path:
        """What the audit read from the bank's own books."""
        return self.path / "books.json"

    @property
    def journal(self) -> Path:
        """Chaos Toolkit's own journal."""
        return self.path / "journal.json"

    @property
    def measurements(self) -> Path:
        """Numbers with units and evidence."""
        return self.path / "measurements.json"

    @property
    def verdict(self) -> Path:
        """Checks, validity rules, verdict."""
        return self.path / "verdict.json"


def need_directory(directory: Path) -> None:
    """Make the directory if it is not there. InputError when files cannot be written in it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise InputError(f"{directory}: nothing can be written there: {error.strerror}") from None


def need_file(path: Path) -> None:
    """Make the directory of a file that will be written. InputError when it cannot be written there."""
    need_directory(path.parent)
    if path.is_dir():
        raise InputError(f"{path}: is a directory, not a file to write")


def create(root: Path, experiment: str) -> Run:
    """Make the directory of a new run under `root`, named by the second and the experiment.

    InputError when that cannot be done.
    """
    need_directory(root)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for attempt in range(100):
        path = root / (f"{stamp}-{experiment}" + (f"-{attempt}" if attempt else ""))
        try:
            path.mkdir()
        except FileExistsError:
            continue
        run = Run(path)
        for directory in (run.requests, run.witness, run.series):
            directory.mkdir()
        return run
    raise InputError(f"cannot find a free run directory for {stamp}-{experiment} under {root}")


def open_run(path: Path) -> Run:
    """An existing run; InputError when the directory is not one."""
    run = Run(path)
    if not run.plan.exists():
        raise InputError(f"{path}: not a run directory (no plan.json)")
    return run


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as JSON, atomically and on disk when this returns."""
    write_bytes(path, (json.dumps(value, indent=1, sort_keys=False, default=str) + "\n").encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, atomically and on disk when this returns."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fdatasync(stream.fileno())
    partial.replace(path)


def read_json(path: Path) -> Any:
    """Parse a JSON file of the run; InputError naming the file when it is missing or broken."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: missing") from None
    except json.JSONDecodeError as error:
        raise InputError.at(path, error.lineno, f"not JSON: {error.msg}") from None
