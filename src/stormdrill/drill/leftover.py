"""Run directories whose harness was killed: they are marked, and what it left outside them is removed.

While a supervisor lives, its run directory holds `supervisor.json`. A directory that has the file although
its process is gone was left by `kill -9` (or a crash of the machine). Its history gets an `abort` event, so
that judging it later says aborted.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from stormdrill import history, store
from stormdrill.drill.identity import Holder
from stormdrill.store import Run

_FILE = "supervisor.json"


def claim(run: Run, channel_directory: Path | None) -> None:
    """Say that this process owns the run, and what it keeps outside of the run directory."""
    store.write_json(
        run.path / _FILE,
        {
            "holder": str(Holder.me()),
            "channel_directory": str(channel_directory) if channel_directory else None,
        },
    )


def release(run: Run) -> None:
    """The run ended in order."""
    (run.path / _FILE).unlink(missing_ok=True)


def mark_dead(root: Path) -> list[Run]:
    """Mark every run under `root` whose supervisor is dead; returns them. Live runs are left alone."""
    marked = []
    for file in sorted(root.glob(f"*/{_FILE}")):
        try:
            raw = json.loads(file.read_bytes())
            holder, directory = Holder.parse(str(raw["holder"])), raw["channel_directory"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if holder is None or not holder.known_dead():
            continue
        run = Run(file.parent)
        _remove_channel(directory)
        _mark(run)
        release(run)
        marked.append(run)
    return marked


def _mark(run: Run) -> None:
    if not run.history.exists():
        return
    text = run.history.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if whole != text:  # the line that was being written when the process was killed
        store.write_bytes(run.history, whole)
    events = list(history.read(run.history))
    log = history.History(run.history)
    log.phase = events[-1].phase if events else "plan"
    log.append("abort", reason="the harness was killed", by="signal")
    log.close()


def _remove_channel(directory: object) -> None:
    """Only ever a directory that `Channel` made: in the temporary directory, by its prefix."""
    if not isinstance(directory, str):
        return
    path = Path(directory)
    if path.parent == Path(tempfile.gettempdir()) and path.name.startswith("stormdrill-"):
        shutil.rmtree(path, ignore_errors=True)
