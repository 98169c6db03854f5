"""The state that is wished for: a moment, a position in the log, or the newest there is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from stormarchive.errors import RestoreError
from stormarchive.segments import lsn_text, parse_lsn
from stormarchive.store import Base, Store
from stormarchive.stretch import Reach, Stretch


@dataclass(frozen=True)
class Target:
    """One of the two, or neither: then the newest. `at_s` in seconds since 1970."""

    at_s: float | None = None
    position: int | None = None

    @classmethod
    def parse_time(cls, text: str) -> Target:
        """Read a moment with its offset from UTC; ValueError when it is none."""
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("has no offset from UTC: write 2026-11-30T03:16:32Z")
        return cls(at_s=moment.timestamp())

    @classmethod
    def parse_position(cls, text: str) -> Target:
        """Read a position in the log; ValueError when it is none."""
        return cls(position=parse_lsn(text))

    @property
    def text(self) -> str:
        """For people, and for PostgreSQL."""
        if self.at_s is not None:
            return time_text(self.at_s)
        return "the newest" if self.position is None else lsn_text(self.position)

    def settings(self) -> dict[str, str]:
        """Of PostgreSQL's recovery."""
        if self.at_s is not None:
            return {"recovery_target_time": self.text}
        return {} if self.position is None else {"recovery_target_lsn": self.text}

    def is_behind(self, base: Base) -> bool:
        """Whether a base backup leads there: it was whole before."""
        if self.at_s is not None:
            return base.ended_s <= self.at_s
        return self.position is None or base.end <= self.position


def time_text(at_s: float) -> str:
    """A moment, exact to a microsecond."""
    return dt.datetime.fromtimestamp(at_s, dt.UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class Route:
    """From which base backup, through which log, and up to where that was known to be whole."""

    base: Base
    stretch: Stretch
    reach: Reach
    target: Target


def route(store: Store, target: Target) -> Route:
    """The shortest way to a state; RestoreError with what is missing."""
    bases = store.bases()
    if not bases:
        raise RestoreError("the archive has no base backup")
    before = [base for base in bases if target.is_behind(base)]
    if not before:
        begin = f"{time_text(bases[0].ended_s)} ({lsn_text(bases[0].end)})"
        raise RestoreError(f"{target.text} is before the oldest base backup, which was whole at {begin}")
    base = before[-1]
    stretch = store.stretch(base.stretch)
    reach = stretch.reach
    if reach is None or reach.position < base.end:
        reach = Reach(base.ended_s, base.end)
    _reaches(store, reach, stretch, target)
    _is_whole(base, reach, stretch)
    return Route(base, stretch, reach, target)


def _reaches(store: Store, reach: Reach, stretch: Stretch, target: Target) -> None:
    if target.at_s is not None and target.at_s > reach.until_s:
        later = [each for each in store.bases() if each.stretch > stretch.number]
        gap = f"; after a gap it goes on at {time_text(later[0].ended_s)}" if later else ""
        raise RestoreError(
            f"{target.text} is later than the archive reaches, {time_text(reach.until_s)}{gap}"
        )
    if target.position is not None and target.position > reach.position:
        raise RestoreError(f"{target.text} is later than the archive reaches, {lsn_text(reach.position)}")


def _is_whole(base: Base, reach: Reach, stretch: Stretch) -> None:
    """RestoreError when a segment between the base backup's end and the reach is missing."""
    if reach.position <= base.end:
        return
    there = {segment.number for segment in stretch.segments()}
    size = stretch.segment_size
    for number in range(base.end // size, (reach.position - 1) // size + 1):
        if number not in there:
            where = f"{lsn_text(number * size)} to {lsn_text((number + 1) * size)}"
            raise RestoreError(f"the log from {where} is missing in {stretch.directory}")
