"""Who brought a lab up: a harness takes down what it brought up, and nothing else."""

from __future__ import annotations

import contextlib
from pathlib import Path

_FILE = "maker"


def record(state: Path, maker: str) -> None:
    """Note who brings up the lab of this directory, empty for nobody in particular; before it makes anything."""
    beside = state / f"{_FILE}.new"
    beside.write_text(maker, encoding="utf-8")
    beside.replace(state / _FILE)


def made_by(state: Path, maker: str) -> bool:
    """Whether this one brought the lab up, rather than having found it running."""
    with contextlib.suppress(FileNotFoundError):
        return (state / _FILE).read_text(encoding="utf-8") == maker
    return False
