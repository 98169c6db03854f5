"""A stretch: log without a gap, in a directory of its own as pg_receivewal writes it.

A receiver that was away for longer than the primary keeps its log begins another stretch. A base backup belongs to the
stretch that it was taken in, and leads to any moment that this stretch reaches.
"""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

from stormarchive import files
from stormarchive.lineage import Lineage
from stormarchive.segments import Segment, history_of

_REACH = "reach.json"


@dataclass(frozen=True)
class Reach:
    """Everything that the database acknowledged up to `until_s` is here: the log up to `position`.

    By the database's own clock, in seconds since 1970; the position is the end of a record.
    """

    until_s: float
    position: int


@dataclass(frozen=True)
class Stretch:
    """`number` counts from 1; `segment_size` in bytes."""

    directory: Path
    number: int
    segment_size: int

    def segments(self) -> list[Segment]:
        """What is there, in the order of the log. Of two files of a segment each is told."""
        found = (Segment.of(path.name, self.segment_size) for path in self._paths())
        return sorted(each for each in found if each is not None)

    def lineage(self, timeline: int | None = None) -> Lineage | None:
        """Of the given or the newest timeline in here; None where there is no log or the history is missing."""
        if timeline is None:
            timeline = max((each.timeline for each in self.segments()), default=0)
        if timeline <= 1:
            return Lineage(timeline, {}) if timeline == 1 else None
        try:
            text = (self.directory / f"{timeline:08X}.history").read_text(encoding="ascii")
            return Lineage.parse(timeline, text)
        except (OSError, ValueError):
            return None

    def put_aside_what_is_not_of(self, line: Lineage, aside: Path) -> list[str]:
        """Move what a promotion cut off out of the way of receiver and restore; the names of what was moved."""
        foreign = set()
        for path in self._paths():
            timeline = history_of(path.name)
            if timeline is not None:
                told = self.lineage(timeline)
                if told is None or line.begins_at(timeline) is None or not told.agrees(_only(line, timeline)):
                    foreign.add(timeline)
        moved = []
        for path in self._paths():
            segment = Segment.of(path.name, self.segment_size)
            cut_off = segment is not None and (segment.timeline in foreign or not line.holds(segment))
            if cut_off or history_of(path.name) in foreign:
                aside.mkdir(parents=True, exist_ok=True)
                path.rename(aside / path.name)
                moved.append(path.name)
        return sorted(moved)

    def step_over_a_fork(self, line: Lineage) -> None:
        """Let a receiver begin on the next timeline where the log in here ends exactly at a fork. Raises OSError.

        PostgreSQL 15's asks for the old one, of which nothing is left to send, and takes that for an error. It goes on
        at the newest file, so the next timeline's first one is laid down, empty.
        """
        newest = max(self.segments(), key=lambda each: (each.number, each.timeline), default=None)
        if newest is None:
            return
        at = newest.begin if newest.partial else newest.end
        timeline = line.goes_on_at(newest.timeline, at)
        if timeline != newest.timeline:
            first = Segment(timeline, at // self.segment_size, self.segment_size, partial=True)
            (self.directory / first.file_name).touch()

    def drop_torn(self) -> list[str]:
        """Remove files that a full disk cut short, which no receiver would go on with; their names."""
        torn = []
        for path in self._paths():
            segment = Segment.of(path.name, self.segment_size)
            if segment is None or segment.packed:
                continue
            size = path.stat().st_size
            if segment.partial and size not in (0, self.segment_size):
                path.unlink()
                torn.append(path.name)
        for path in self.directory.glob("*.packing"):
            path.unlink()
        return torn

    def pack(self) -> bool:
        """Compress one segment that is whole, if there is one; the name is what pg_receivewal would have given it."""
        for segment in self.segments():
            if segment.partial or segment.packed:
                continue
            plain = self.directory / segment.file_name
            fresh = self.directory / f"{plain.name}.packing"
            with plain.open("rb") as source, gzip.open(fresh, "wb", compresslevel=1) as target:
                shutil.copyfileobj(source, target)
            fresh.rename(self.directory / f"{plain.name}.gz")
            plain.unlink()
            return True
        return False

    def bytes_since(self, position: int) -> int:
        """What the log from a position on takes in here, in bytes of files that are whole."""
        total = 0
        for segment in self.segments():
            if segment.end > position and not segment.partial:
                try:
                    total += (self.directory / segment.file_name).stat().st_size
                except OSError:
                    continue  # packed at this moment
        return total

    @property
    def reach(self) -> Reach | None:
        """How far it is known to be whole; None when that was never seen."""
        told = files.read(self.directory / _REACH)
        try:
            return Reach(float(told["until_s"]), int(told["position"]))
        except (KeyError, TypeError, ValueError):
            return None

    def reached(self, reach: Reach) -> None:
        """Note how far it is known to be whole. Raises OSError."""
        files.write(self.directory / _REACH, {"until_s": reach.until_s, "position": reach.position})

    def _paths(self) -> list[Path]:
        return sorted(self.directory.iterdir()) if self.directory.is_dir() else []


def _only(line: Lineage, timeline: int) -> Lineage:
    """The line as it was when `timeline` was its newest."""
    return Lineage(timeline, {number: at for number, at in line.left_at.items() if number < timeline})
