"""What a generator consists of while its clock runs; handed to every part that offers load."""

from __future__ import annotations

from dataclasses import dataclass

from gevent.pool import Group

from stormdrill.load.config import LoadConfig
from stormdrill.load.generator.moment import Stop
from stormdrill.load.generator.wire import Wire
from stormdrill.load.recorder import Recorder
from stormdrill.load.tally import Tally
from stormdrill.units import NS_PER_S


@dataclass(frozen=True, slots=True)
class Running:
    """The clock began at `start_ns`; greenlets in `work` are given time at the end, then PhaseEnd."""

    config: LoadConfig
    wire: Wire
    recorder: Recorder
    tally: Tally
    stop: Stop
    work: Group
    start_ns: int

    def due_ns(self, due_s: float) -> int:
        """A time of the schedule on the monotonic clock."""
        return self.start_ns + int(due_s * NS_PER_S)

    def until(self, due_ns: int) -> bool:
        """Wait for `due_ns`; False when the load has ended, before or meanwhile."""
        return self.stop.until(due_ns) and not self.stop
