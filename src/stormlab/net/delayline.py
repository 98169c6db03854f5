"""Packets on their way: each leaves its link half a round-trip time after it entered, never out of order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import heapify, heappop, heappush

Link = tuple[int, int]
"""Index of the site a packet comes from and of the one it goes to."""

MAX_PACKETS = 20_000
"""Held over all links; what comes on top is dropped, as a full router would."""


class DelayLine:
    """Holds packets until they are due. Times are nanoseconds of one monotonic clock."""

    def __init__(self, one_way_ns: Mapping[Link, int]) -> None:
        self._one_way_ns = dict(one_way_ns)
        self._last_due_ns = dict.fromkeys(self._one_way_ns, 0)
        self._heap: list[tuple[int, int, Link, bytes]] = []
        self._cut: set[Link] = set()
        self._count = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._heap)

    def set_delay(self, link: Link, one_way_ns: int) -> None:
        """Change a link from now on; packets already under way keep their time."""
        self._one_way_ns[link] = one_way_ns

    def set_up(self, link: Link, *, up: bool) -> None:
        """Cut a link, or mend it. What is under way on a link that is cut is lost, as in a fibre."""
        if up:
            self._cut.discard(link)
            return
        self._cut.add(link)
        kept = [held for held in self._heap if held[2] != link]
        self.dropped += len(self._heap) - len(kept)
        heapify(kept)
        self._heap = kept

    def push(self, link: Link, packet: bytes, now_ns: int) -> None:
        """Take a packet that entered `link` at `now_ns`."""
        if len(self._heap) >= MAX_PACKETS or link in self._cut:
            self.dropped += 1
            return
        # After a shortening, later packets wait for those already under way: a link does not reorder.
        due_ns = max(now_ns + self._one_way_ns[link], self._last_due_ns[link])
        self._last_due_ns[link] = due_ns
        self._count += 1
        heappush(self._heap, (due_ns, self._count, link, packet))

    def next_due_ns(self) -> int | None:
        """When the next packet is due, None when the line is empty."""
        return self._heap[0][0] if self._heap else None

    def due(self, now_ns: int) -> Iterator[tuple[int, bytes]]:
        """Take out what is due at `now_ns`: destination and packet, in order."""
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            _, _, link, packet = heappop(heap)
            yield link[1], packet
