"""What an archive holds: one directory with the stretches of log, base backups, and what promotions cut off.

- system.json: whose log this is;
- wal/1/, wal/2/ ...: stretches;
- base/20261130T031600Z/: a base backup, which is base.tar.gz, backup_manifest and backup.json;
- aside/20261130T041500Z/: log of a timeline that was left, kept as evidence until base backups of then are gone.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from stormarchive import files
from stormarchive.errors import ForeignError
from stormarchive.stretch import Stretch

_SYSTEM, _BACKUP = "system.json", "backup.json"


def stamp(at_s: float) -> str:
    """A moment as the name of a directory."""
    return dt.datetime.fromtimestamp(at_s, dt.UTC).strftime("%Y%m%dT%H%M%S%fZ")


@dataclass(frozen=True)
class Base:
    """A base backup, whole since `ended_s` by the database's clock; `begin` to `end` is the log that it brings."""

    name: str
    stretch: int
    timeline: int
    begin: int
    end: int
    ended_s: float
    took_s: float
    size: int


class Store:
    """The directory of one archive."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def identify(self, system: str, segment_size: int) -> None:
        """Begin with a database, or make sure that it is still the same one; ForeignError when it is another."""
        known = files.read(self.root / _SYSTEM)
        if not known:
            self.root.mkdir(parents=True, exist_ok=True)
            files.write(self.root / _SYSTEM, {"system": system, "segment_size": segment_size})
        elif known.get("system") != system:
            raise ForeignError(
                f"the archive is of database system {known.get('system')}, {system} answers: an archive of another "
                "database goes into another directory"
            )

    @property
    def segment_size(self) -> int:
        """Of the database's log, in bytes; 0 while no database has been seen."""
        return int(files.read(self.root / _SYSTEM).get("segment_size", 0))

    def stretches(self) -> list[Stretch]:
        """All of them, oldest first."""
        found = (path for path in (self.root / "wal").glob("*") if path.name.isdigit())
        return sorted(
            (Stretch(path, int(path.name), self.segment_size) for path in found), key=lambda each: each.number
        )

    def stretch(self, number: int) -> Stretch:
        """One of them, whether or not it is there."""
        return Stretch(self.root / "wal" / str(number), number, self.segment_size)

    def newest(self) -> Stretch:
        """The one that is written to; begun when there is none. Raises OSError."""
        there = self.stretches()
        return there[-1] if there else self.begin_stretch()

    def begin_stretch(self) -> Stretch:
        """Begin another one: there is a gap. Raises OSError."""
        number = max((each.number for each in self.stretches()), default=0) + 1
        begun = self.stretch(number)
        begun.directory.mkdir(parents=True)
        return begun

    def aside(self, now_s: float) -> Path:
        """Where log that a promotion cut off is put at this time."""
        return self.root / "aside" / stamp(now_s)

    @property
    def bases_directory(self) -> Path:
        """Where base backups are."""
        return self.root / "base"

    def bases(self) -> list[Base]:
        """Those that are whole, oldest first."""
        found = []
        for path in self.bases_directory.glob("*"):
            told = files.read(path / _BACKUP)
            try:
                found.append(Base(**told))
            except TypeError:
                continue  # not finished, or of another version
        return sorted(found, key=lambda each: each.ended_s)

    def add(self, base: Base) -> None:
        """Declare a base backup whole. Raises OSError."""
        files.write(self.bases_directory / base.name / _BACKUP, asdict(base))

    def drop_unfinished(self) -> None:
        """Remove what a backup that was cut off left."""
        whole = {base.name for base in self.bases()}
        for path in self.bases_directory.glob("*"):
            if path.name not in whole:
                shutil.rmtree(path, ignore_errors=True)

    def prune(self, keep: int) -> list[str]:
        """Remove all but the newest base backups, and log that none of them needs; the names of what went."""
        gone = []
        kept = self.bases()[-keep:]
        for base in self.bases()[:-keep]:
            shutil.rmtree(self.bases_directory / base.name, ignore_errors=True)
            gone.append(f"base {base.name}")
        if not kept:
            return gone
        for stretch in self.stretches():
            needed_from = min((base.begin for base in kept if base.stretch == stretch.number), default=None)
            if needed_from is not None:
                gone += _before(stretch, needed_from)
            elif stretch.number < kept[-1].stretch:
                shutil.rmtree(stretch.directory, ignore_errors=True)
                gone.append(f"stretch {stretch.number}")
        oldest = stamp(kept[0].ended_s)
        for path in (self.root / "aside").glob("*"):
            if path.name < oldest:
                shutil.rmtree(path, ignore_errors=True)
                gone.append(f"aside {path.name}")
        return gone


def _before(stretch: Stretch, position: int) -> Iterator[str]:
    for segment in stretch.segments():
        if segment.end <= position and not segment.partial:
            (stretch.directory / segment.file_name).unlink(missing_ok=True)
            yield segment.file_name
