"""The clock that what measures time is given, so that a test may have one of its own."""

from __future__ import annotations

from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds that only ever grow, as time.monotonic."""
