"""Files that come from the API into a volume: all of them change at one moment, as kubelets do it.

The files lie in a hidden directory that a link `..data` leads to, and what a program opens are links through `..data`.
A new content is a new directory and one renamed link: whoever reads sees the old files or the new ones.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_DATA = "..data"


@dataclass(frozen=True)
class File:
    """One file of a volume."""

    data: bytes
    mode: int


def write(place: Path, files: Mapping[str, File]) -> bool:
    """Make the directory show these files, by path below it; whether anything changed. Raises OSError."""
    place.mkdir(parents=True, exist_ok=True)
    current = place / _DATA
    before = current.resolve() if current.is_symlink() else None
    names = {name.split("/")[0] for name in files}
    if before is not None and _content(before) == dict(files):
        _links(place, names)  # a write that was killed may have left some out
        return False
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=place))
    fresh.chmod(0o755)
    for name, file in files.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        path.chmod(file.mode)
    link = place / "..data_tmp"
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    link.replace(current)
    _links(place, names)
    for other in place.glob("..*"):  # the files of before, and what a write that was killed left
        if not other.is_symlink() and other.name != fresh.name:
            shutil.rmtree(other, ignore_errors=True)
    return True


def _links(place: Path, wanted: set[str]) -> None:
    for entry in place.iterdir():
        if not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
    for name in wanted:
        if not (place / name).is_symlink():
            (place / name).symlink_to(f"{_DATA}/{name}")


def _content(place: Path) -> dict[str, File]:
    found = {}
    for directory, _, names in os.walk(place):
        for name in names:
            path = Path(directory, name)
            file = File(path.read_bytes(), path.stat().st_mode & 0o7777)
            found[str(path.relative_to(place))] = file
    return found
