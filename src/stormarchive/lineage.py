"""The timelines that led to a database, and which log is of that line. Pure.

A promotion begins a new timeline at some position of the old one. What the old primary wrote after that position is no
part of the database any more, although it may have been archived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stormarchive.segments import Segment, parse_lsn


@dataclass(frozen=True)
class Lineage:
    """`left_at` says of each earlier timeline where the next one began; `timeline` is the present one."""

    timeline: int
    left_at: Mapping[int, int]

    @classmethod
    def parse(cls, timeline: int, history: str) -> Lineage:
        """Read the history file of `timeline`; empty for the first one. ValueError when it is none."""
        left_at = {}
        for line in history.splitlines():
            fields = line.split("#")[0].split()
            if not fields:
                continue
            if len(fields) < 2:
                raise ValueError(f"not a line of a history file: {line!r}")
            left_at[int(fields[0])] = parse_lsn(fields[1])
        return cls(timeline, left_at)

    def begins_at(self, timeline: int) -> int | None:
        """Where a timeline of this line begins; None for one that is not."""
        if timeline != self.timeline and timeline not in self.left_at:
            return None
        earlier = [at for number, at in self.left_at.items() if number < timeline]
        return max(earlier, default=0)

    def holds(self, segment: Segment) -> bool:
        """Whether all that a segment has, or will have once it is written to its end, is of this line."""
        if segment.timeline == self.timeline:
            return True
        left_at = self.left_at.get(segment.timeline)
        if left_at is None:
            return False
        # One that is whole has log from after the fork; one that is not is written anew from its begin.
        return segment.begin < left_at if segment.partial else segment.end <= left_at

    def goes_on_at(self, timeline: int, position: int) -> int:
        """The timeline that follows at a position where `timeline` was left; the same one where it was not."""
        while timeline != self.timeline and self.left_at.get(timeline) == position:
            timeline = min((each for each in self.left_at if each > timeline), default=self.timeline)
        return timeline

    def agrees(self, other: Lineage) -> bool:
        """Whether a timeline of this line that another file tells of began at the same place."""
        return self.begins_at(other.timeline) == other.begins_at(other.timeline)
