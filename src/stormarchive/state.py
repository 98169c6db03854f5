"""What an archive says of itself: its metrics, and the trouble that it is in."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stormarchive.store import Base

log = logging.getLogger(__name__)


@dataclass
class State:
    """Times in seconds since 1970, sizes in bytes. Written by one thread, read by others."""

    receiving: bool = False
    timeline: int = 0
    stretch: int = 0
    until_s: float = 0.0
    behind: int = 0
    gaps: int = 0
    follows: int = 0
    failures: int = 0
    backup_failures: int = 0
    bases: Sequence[Base] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    last_trouble: str = ""

    def trouble(self, why: str) -> None:
        """Say what is wrong, once as long as it is the same."""
        self.failures += 1
        if why != self.last_trouble:
            log.warning("%s", why)
        self.last_trouble = why

    def followed(self, timeline: int, stretch: int) -> None:
        """A primary is followed from now on."""
        self.timeline, self.stretch = timeline, stretch
        self.follows += 1

    def reached(self, until_s: float) -> None:
        """All that was acknowledged up to this time is here."""
        self.until_s = until_s
        if self.last_trouble:
            log.info("the archive is whole up to %.0f s ago", max(0.0, time.time() - until_s))
        self.last_trouble = ""

    def backed_up(self, bases: Sequence[Base]) -> None:
        """These base backups are there."""
        self.bases = tuple(bases)

    def backup_failed(self, why: str) -> None:
        """A base backup came to nothing."""
        self.backup_failures += 1
        log.warning("no base backup: %s", why)

    def exposition(self) -> str:
        """Everything as Prometheus reads it."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        newest = self.bases[-1] if self.bases else None
        for name, kind, value in (
            ("archive_receiving", "gauge", int(self.receiving)),
            ("archive_timeline", "gauge", self.timeline),
            ("archive_stretch", "gauge", self.stretch),
            ("archive_whole_until_seconds", "gauge", self.until_s),
            ("archive_behind_bytes", "gauge", self.behind),
            ("archive_gaps_total", "counter", self.gaps),
            ("archive_follows_total", "counter", self.follows),
            ("archive_troubles_total", "counter", self.failures),
            ("archive_base_failures_total", "counter", self.backup_failures),
            ("archive_bases", "gauge", len(self.bases)),
            ("archive_base_ended_seconds", "gauge", newest.ended_s if newest else 0),
            ("archive_base_took_seconds", "gauge", newest.took_s if newest else 0),
        ):
            yield f"# TYPE {name} {kind}"
            yield f"{name} {value}"
        yield "# TYPE archive_size_bytes gauge"
        for part, size in self.sizes.items():
            yield f'archive_size_bytes{{part="{part}"}} {size}'
