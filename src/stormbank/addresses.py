"""Which address of a service is asked next: those that come first, in turn, and past those that were not reached."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from stormbank.clock import Clock

AVOID_S: Final = 1.0
"""How long an address that could not be reached is left alone."""

Groups = Sequence[Sequence[str]]
"""Addresses of equals, the best group first."""
Order = Callable[[], Groups]


def in_turn(urls: Sequence[str]) -> Order:
    """All of them are equals."""
    groups = (tuple(urls),)
    return lambda: groups


def home_first(
    urls: Sequence[str], by_zone: Mapping[str, Sequence[str]], home: Callable[[], str | None]
) -> Order:
    """Those of the zone that `home` names now, then the other zones'; `urls` while it names none of them."""
    unknown = (tuple(urls),)
    known = {
        zone: (tuple(own), tuple(url for other, some in by_zone.items() if other != zone for url in some))
        for zone, own in by_zone.items()
    }

    def order() -> Groups:
        zone = home()
        return unknown if zone is None else known.get(zone, unknown)

    return order


class Addresses:
    """Chooses among the addresses that `order` gives."""

    def __init__(self, order: Order, *, clock: Clock = time.monotonic) -> None:
        self._order = order
        self._clock = clock
        self._turn = 0
        self._avoid_until_s: dict[str, float] = {}

    def choose(self, but: str | None = None) -> str:
        """Return one that may be asked now; `but`, where the try before broke off, only if there is no other."""
        groups = self._order()
        now_s = self._clock()
        self._turn += 1
        for group in groups:
            for url in self._turned(group):
                if url != but and self._may(url, now_s):
                    return url
        return next(self._turned([*itertools.chain.from_iterable(groups)]))

    def elsewhere(self, url: str) -> bool:
        """Whether there is another than `url` that was not found wanting of late."""
        now_s = self._clock()
        return any(
            other != url and self._avoid_until_s.get(other, now_s) <= now_s
            for group in self._order()
            for other in group
        )

    def reached(self, url: str) -> None:
        """Report an answer."""
        self._avoid_until_s.pop(url, None)

    def unreachable(self, url: str) -> None:
        """Report that nobody was there."""
        self._avoid_until_s[url] = self._clock() + AVOID_S

    def _may(self, url: str, now_s: float) -> bool:
        until_s = self._avoid_until_s.get(url)
        if until_s is not None and until_s <= now_s:
            # One goes and sees. The others wait for what it finds: an address that is silent costs each of them time.
            self._avoid_until_s[url] = now_s + AVOID_S
            return True
        return until_s is None

    def _turned(self, group: Sequence[str]) -> Iterator[str]:
        start = self._turn % len(group) if group else 0
        return itertools.chain(group[start:], group[:start])
