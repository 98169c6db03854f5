"""Names of log files, and what part of which timeline each holds. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.gz)?(\.partial)?")
_HISTORY = re.compile(r"([0-9A-F]{8})\.history")
_REACH = 0x1_0000_0000
"""So many bytes of log have names with the same middle part."""


def parse_lsn(text: str) -> int:
    """Read `0/3000148`; ValueError when it is not a position in the log."""
    high, slash, low = text.strip().partition("/")
    if not slash:
        raise ValueError(f"{text!r} is not a position such as 0/3000148")
    return (int(high, 16) << 32) + int(low, 16)


def lsn_text(position: int) -> str:
    """A position as PostgreSQL writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


@dataclass(frozen=True, order=True)
class Segment:
    """One file of log: `number` counts segments of `size` bytes from the log's begin.

    One that is `partial` is still written to, or was when its timeline ended.
    """

    timeline: int
    number: int
    size: int
    partial: bool = False
    packed: bool = False

    @classmethod
    def of(cls, file_name: str, size: int) -> Segment | None:
        """Read a file's name; None for a file that is no segment."""
        found = _SEGMENT.fullmatch(file_name)
        if found is None:
            return None
        timeline, high, low = (int(found[part], 16) for part in (1, 2, 3))
        number = high * (_REACH // size) + low
        return cls(timeline, number, size, partial=bool(found[5]), packed=bool(found[4]))

    @property
    def begin(self) -> int:
        """Position of its first byte."""
        return self.number * self.size

    @property
    def end(self) -> int:
        """Position after its last byte."""
        return self.begin + self.size

    @property
    def stem(self) -> str:
        """Its name as the database knows it."""
        high, low = divmod(self.number, _REACH // self.size)
        return f"{self.timeline:08X}{high:08X}{low:08X}"

    @property
    def file_name(self) -> str:
        """Its name here."""
        return f"{self.stem}{'.gz' if self.packed else ''}{'.partial' if self.partial else ''}"


def history_name(timeline: int) -> str:
    """The file that says where a timeline came from."""
    return f"{timeline:08X}.history"


def history_of(file_name: str) -> int | None:
    """The timeline that a history file is of; None for another file."""
    found = _HISTORY.fullmatch(file_name)
    return int(found[1], 16) if found else None
