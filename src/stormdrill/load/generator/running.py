"""What a generator consists of while its clock runs; handed to every part that offers load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gevent
from gevent import Greenlet
from gevent.pool import Group

from stormdrill.load.config import LoadConfig
from stormdrill.load.generator.moment import PhaseEnd, Stop
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

    def spawn(self, part: Callable[..., object], *arguments: object, work: bool = False) -> Greenlet:
        """Run a part of the load beside the others; if it raises, the load ends and says why.

        `work`: it has requests in flight, and gets the time to finish them when the load ends.
        """
        greenlet = gevent.spawn(self._guard, part, *arguments)
        if work:
            self.work.add(greenlet)
        return greenlet

    def _guard(self, part: Callable[..., object], *arguments: object) -> None:
        try:
            part(*arguments)
        except PhaseEnd:
            pass
        except Exception as error:  # noqa: BLE001 - a full disk or a bug: load that is not recorded is no load
            self.stop.broken(error)

    def until(self, due_ns: int) -> bool:
        """Wait for `due_ns`; False when the load has ended, before or meanwhile."""
        return self.stop.until(due_ns) and not self.stop
