"""What one direction of a link does to packets beyond its delay: a queue, chance losses, jitter.

The order is a real link's: a packet waits in the queue of a router, is put on the wire at the link's bandwidth, and may
be lost there. Times are nanoseconds of one monotonic clock.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from stormlab.linkshape import LinkShape
from stormlab.net import segments

_QUEUE_NS = 100_000_000
_LEAST_QUEUE_BYTES = 65_536
"""Room for 100 ms at the link's bandwidth, on slow links for one frame of the largest size."""
_LEAST_SLOT_NS = 1_000_000

Leaving = tuple[int, Sequence[bytes]]
"""When the frames leave for the far end, from where the link's delay counts, and the frames: none when lost."""


class Shaper:
    """One direction. Counters are packets as a wire would carry them, from when it was made."""

    def __init__(self, shape: LinkShape, seed: str) -> None:
        self.shape = shape
        self.lost = 0
        """By chance, as `loss` says."""
        self.overflowed = 0
        """Refused by a full queue."""
        self._ns_per_byte = 8_000 / shape.bandwidth_mbit_s if shape.bandwidth_mbit_s else 0.0
        self._room_ns = max(_QUEUE_NS, int(_LEAST_QUEUE_BYTES * self._ns_per_byte))
        self._free_ns = 0
        self._chance = random.Random(f"{seed} loss").random
        self._until_loss = self._gap()
        self._jitter = Jitter(int(shape.jitter_ms * 1e6), seed) if shape.jitter_ms else None

    def queue_ns(self, now_ns: int) -> int:
        """How long a packet that came now would wait."""
        return max(0, self._free_ns - now_ns)

    def enter(self, frame: bytes, now_ns: int) -> Leaving:
        """Take a frame that comes at `now_ns`; never before one that came earlier."""
        count, size = segments.on_wire(frame)
        left_ns = now_ns
        if self._ns_per_byte:
            starts_ns = max(now_ns, self._free_ns)
            if starts_ns - now_ns > self._room_ns:
                self.overflowed += count
                return now_ns, ()
            left_ns = self._free_ns = starts_ns + int(size * self._ns_per_byte)
        frames: Sequence[bytes] = (frame,)
        if self.shape.loss:
            frames = self._after_loss(frame, count)
        if self._jitter is not None:
            left_ns += self._jitter.at(left_ns)
        return left_ns, frames

    def empty(self) -> None:
        """What waited is gone: the link was cut."""
        self._free_ns = 0

    def _after_loss(self, frame: bytes, count: int) -> Sequence[bytes]:
        if self._until_loss >= count:
            self._until_loss -= count
            return (frame,)
        lost, at = set(), self._until_loss
        while at < count:
            lost.add(at)
            at += 1 + self._gap()
        self._until_loss = at - count
        self.lost += len(lost)
        return tuple(segments.without(frame, lost))

    def _gap(self) -> int:
        """Packets that pass before the next is lost: one draw for each loss instead of one for each packet."""
        if not 0 < self.shape.loss < 1:
            return 0
        return int(math.log(1.0 - self._chance()) / math.log1p(-self.shape.loss))


class Jitter:
    """A delay that wanders between half a width less and half a width more; its average is 0.

    It is drawn for moments, two widths apart, and goes straight from one to the next. So it never falls faster than
    time goes by, and packets that entered in order leave in order, as on the one path that a flow takes in a real
    network; a draw for each packet would reorder flows, or, kept in order, delay all of them by nearly the most.
    """

    def __init__(self, width_ns: int, seed: str) -> None:
        self._chance = random.Random(f"{seed} jitter").random
        self._width_ns = width_ns
        self._slot_ns = max(2 * width_ns, _LEAST_SLOT_NS)
        self._slot = -2
        self._begin = self._end = 0

    def at(self, now_ns: int) -> int:
        """The jitter of a moment; moments never go back."""
        slot, inside_ns = divmod(now_ns, self._slot_ns)
        if slot != self._slot:
            self._begin = self._end if slot == self._slot + 1 else self._draw()
            self._end = self._draw()
            self._slot = slot
        return self._begin + (self._end - self._begin) * inside_ns // self._slot_ns

    def _draw(self) -> int:
        return int((self._chance() - 0.5) * self._width_ns)
