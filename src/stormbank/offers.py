"""Offers to customers: put together for a segment, and good for everybody in it for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

SEGMENTS: Final = 8
_OFFERS: Final = (
    ("card-cashback", "1 % back on card payments this month"),
    ("fund-fee", "No fee on your first fund order"),
    ("campus-meal", "Second meal at half price on campus"),
    ("fx-rate", "Better rate on your next exchange"),
    ("savings-plan", "A savings plan from 100 fen a day"),
)
SHOWN: Final = 3


def segment_of(customer: int) -> int:
    """Return the segment that a customer is of."""
    return customer % SEGMENTS


def offers_for(segment: int) -> list[dict[str, Any]]:
    """Put together what a segment is offered."""
    chosen = [_OFFERS[(segment + number) % len(_OFFERS)] for number in range(SHOWN)]
    return [{"id": name, "text": text} for name, text in chosen]


class OfferCache:
    """Offers by segment, each kept for `keep_s` seconds."""

    def __init__(self, keep_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep_s = keep_s
        self._clock = clock
        self._kept: dict[int, tuple[float, list[dict[str, Any]]]] = {}

    def get(self, segment: int) -> list[dict[str, Any]] | None:
        """Return what is kept for a segment, None when there is nothing or it is too old."""
        until_s, offers = self._kept.get(segment, (0.0, []))
        return offers if self._clock() < until_s else None

    def put(self, segment: int, offers: list[dict[str, Any]]) -> None:
        """Keep `offers` from now."""
        self._kept[segment] = self._clock() + self._keep_s, offers
