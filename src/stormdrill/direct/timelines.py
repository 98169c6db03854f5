"""Where two histories of one database part, and which stretches of log belong to the one that died."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Ended = Sequence[tuple[int, int]]
"""Timelines that have ended, oldest first, each with the position (bytes) where the next one begins."""


@dataclass(frozen=True)
class Log:
    """A member's log: its timeline, the ones before it, and where it ends (bytes)."""

    timeline: int
    history: tuple[tuple[int, int], ...]
    lsn: int


@dataclass(frozen=True)
class Stretch:
    """Log of one timeline from `start` to `end` (bytes)."""

    timeline: int
    start: int
    end: int


def fork(old: Log, new_history: Ended, new_timeline: int) -> tuple[int, tuple[Stretch, ...]]:
    """The position up to which both are the same, and what the old one wrote beyond it, possibly nothing.

    Equal timeline numbers do not mean the same timeline: two sites that each promoted themselves both count on from
    the last common one. They are told apart by where they began.
    """
    old_all = [*old.history, (old.timeline, old.lsn)]
    new_ends = dict(new_history)
    for index, (timeline, end) in enumerate(old_all):
        last = index == len(old_all) - 1
        if timeline in new_ends:
            if new_ends[timeline] == end and not last:
                continue
            parted = min(new_ends[timeline], end)
        elif timeline == new_timeline and last:
            break  # both are on it
        else:
            parted = end  # the new one stayed on it, or never was
        mine = [Stretch(timeline, parted, end)] if end > parted else []
        begin = end
        for later, later_end in old_all[index + 1 :]:
            mine.append(Stretch(later, begin, later_end))
            begin = later_end
        return parted, tuple(mine)
    return old.lsn, ()
