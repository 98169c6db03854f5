"""Durations as topology files write them: a number with its unit, such as 30ms, 5s, 5m or 90d."""

from __future__ import annotations

import re

_FORM = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")
_SECONDS = {"us": 0.000_001, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def parse_s(text: str, low_s: float, high_s: float) -> float | None:
    """The duration in seconds; None when it is none from `low_s` to `high_s`, both included."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    value_s = float(match[1]) * _SECONDS[match[2]]
    return value_s if low_s <= value_s <= high_s else None
