"""Packets on their way: each leaves its link half a round-trip time after it entered, never out of order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import heapify, heappop, heappush

from stormlab.net.shaper import Shaper

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
        self._unusual: dict[Link, Shaper | None] = {}
        """Links that do more than delay, and None for those that are cut: for the others one look-up tells it all."""
        self._shapers: dict[Link, Shaper] = {}
        self._count = 0
        self.dropped = 0
        """Of packets that met a link that is cut, were under way on it, or found the line full."""

    def __len__(self) -> int:
        return len(self._heap)

    def set_delay(self, link: Link, one_way_ns: int) -> None:
        """Change a link from now on; packets already under way keep their time."""
        self._one_way_ns[link] = one_way_ns

    def set_shaper(self, link: Link, shaper: Shaper | None) -> None:
        """What a link does beyond its delay, from now on; None for nothing."""
        if shaper is None:
            self._shapers.pop(link, None)
        else:
            self._shapers[link] = shaper
        self._sort_out(link, up=not self._is_cut(link))

    def shaper(self, link: Link) -> Shaper | None:
        """What the link does beyond its delay."""
        return self._shapers.get(link)

    def set_up(self, link: Link, *, up: bool) -> None:
        """Cut a link, or mend it. What is under way on a link that is cut is lost, as in a fibre."""
        if not up and not self._is_cut(link):
            kept = [held for held in self._heap if held[2] != link]
            self.dropped += len(self._heap) - len(kept)
            heapify(kept)
            self._heap = kept
            self._last_due_ns[link] = 0
            if (shaper := self._shapers.get(link)) is not None:
                shaper.empty()
        self._sort_out(link, up=up)

    def _is_cut(self, link: Link) -> bool:
        return link in self._unusual and self._unusual[link] is None

    def _sort_out(self, link: Link, *, up: bool) -> None:
        self._unusual.pop(link, None)
        if not up:
            self._unusual[link] = None
        elif link in self._shapers:
            self._unusual[link] = self._shapers[link]

    def push(self, link: Link, packet: bytes, now_ns: int) -> None:
        """Take a packet that entered `link` at `now_ns`."""
        if len(self._heap) >= MAX_PACKETS:
            self.dropped += 1
            return
        if link in self._unusual:
            self._push_unusual(link, packet, now_ns)
            return
        # After a shortening, later packets wait for those already under way: a link does not reorder.
        due_ns = max(now_ns + self._one_way_ns[link], self._last_due_ns[link])
        self._last_due_ns[link] = due_ns
        self._count += 1
        heappush(self._heap, (due_ns, self._count, link, packet))

    def _push_unusual(self, link: Link, packet: bytes, now_ns: int) -> None:
        shaper = self._unusual[link]
        if shaper is None:
            self.dropped += 1
            return
        left_ns, frames = shaper.enter(packet, now_ns)
        due_ns = max(left_ns + self._one_way_ns[link], self._last_due_ns[link])
        for frame in frames:
            self._last_due_ns[link] = due_ns
            self._count += 1
            heappush(self._heap, (due_ns, self._count, link, frame))

    def next_due_ns(self) -> int | None:
        """When the next packet is due, None when the line is empty."""
        return self._heap[0][0] if self._heap else None

    def due(self, now_ns: int) -> Iterator[tuple[int, bytes]]:
        """Take out what is due at `now_ns`: destination and packet, in order."""
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            _, _, link, packet = heappop(heap)
            yield link[1], packet
