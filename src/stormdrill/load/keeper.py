"""The generator's health, kept by a real thread: the second's line, the frozen loop.

The loop beats every 20 ms. A stall is the longest time between two beats, whether the loop was held up by its
own work or the whole process was stopped; the thread goes on meanwhile, so a loop that hangs is reported
while it hangs. The records are flushed by a second thread, because a busy disk may hold a flush for seconds, in
which the generator is as well as before. Needs no gevent: the caller brings the means to start real threads and to
sleep in them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from stormdrill.load.channel import Channel
from stormdrill.load.config import LoadConfig
from stormdrill.load.tally import Tally
from stormdrill.units import NS_PER_MS, NS_PER_S

BEAT_S = 0.02
SYNC_S = 0.1
_LOOK_S = 0.1
_MORE_NS = 100 * NS_PER_MS


class Pulse:
    """The loop's beat, and the longest silence since somebody asked."""

    def __init__(self) -> None:
        self._last_ns = time.monotonic_ns()
        self._longest_ns = 0
        self._told = (0, 0)  # the silence last reported while it went on: since when, how long

    def beat(self) -> None:
        """The loop turns."""
        now_ns, (since_ns, told_ns) = time.monotonic_ns(), self._told
        silence_ns = now_ns - self._last_ns
        if since_ns != self._last_ns or silence_ns > told_ns + _MORE_NS:
            self._longest_ns = max(self._longest_ns, silence_ns)
        self._last_ns = now_ns

    def take_stall_ms(self) -> float:
        """The longest silence since the last call, beyond the beat itself; a silence that goes on counts."""
        last_ns = self._last_ns
        silence_ns = time.monotonic_ns() - last_ns
        self._told = (last_ns, silence_ns)
        longest_ns, self._longest_ns = max(self._longest_ns, silence_ns), 0
        return max(0.0, longest_ns / NS_PER_MS - BEAT_S * 1000)


def flush(sync: Callable[[], None], sleep: Callable[[float], None], ended: Callable[[], bool]) -> None:
    """A thread: make the records durable by `sync` ten times a second, or as often as the disk lets it."""
    while not ended():
        sync()
        sleep(SYNC_S)


class Keeper:
    """Runs until `finish`."""

    def __init__(self, config: LoadConfig, tally: Tally, channel: Channel) -> None:
        self._tally, self._channel = tally, channel
        self.pulse = Pulse()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(config.seconds_file, flags, 0o644)

    def run(self, sleep: Callable[[float], None], start_ns: int, ended: Callable[[], bool]) -> None:
        """The thread: a line a little after each full second."""
        line_ns = start_ns + NS_PER_S
        while not ended():
            now_ns = time.monotonic_ns()
            if now_ns >= line_ns:
                self._line(now_ns)
                line_ns += ((now_ns - line_ns) // NS_PER_S + 1) * NS_PER_S
            sleep(max(0.001, min(_LOOK_S, (line_ns - time.monotonic_ns()) / NS_PER_S)))

    def finish(self) -> None:
        """The last line, and the end of the file; only after the thread has ended."""
        self._line(time.monotonic_ns(), end=True)
        os.close(self._fd)

    def _line(self, now_ns: int, *, end: bool = False) -> None:
        second = self._tally.cut(now_ns, self.pulse.take_stall_ms(), end=end)
        os.write(self._fd, second.line().encode() + b"\n")
        self._channel.say({"second": second.to_json()})
