"""Durations, ratios and rates as people write them, and as the code keeps them.

Inside, a duration is a float of seconds (`*_s`) or an int of nanoseconds (`*_ns`), a ratio a float from 0
to 1 and a rate a float per second. Only this module reads or prints the human forms.
"""

from __future__ import annotations

import re

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|m|h|d)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|min|m|h)")


def parse_duration_s(text: str | float) -> float:
    """`"20s"`, `"500ms"`, `"1m30s"`, `"4h"` or a bare 0 to seconds. ValueError otherwise."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        if text == 0:
            return 0.0
        raise ValueError(f"a duration needs a unit: {text!r} (write {text}s, {text}ms, {text}m or {text}h)")
    if not isinstance(text, str):
        raise ValueError(f"not a duration: {text!r}")
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        raise ValueError(f"not a duration: {text!r} (examples: 500ms, 20s, 1m30s, 4h)")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def parse_ratio(text: str | float) -> float:
    """`"0.5%"` or `0.005` to 0.005; outside 0 to 1 is a ValueError."""
    try:
        value = float(text[:-1]) / 100 if isinstance(text, str) and text.endswith("%") else float(text)
    except (TypeError, ValueError):
        raise ValueError(f"not a ratio: {text!r} (examples: 0.5%, 0.005)") from None
    if not 0 <= value <= 1:
        raise ValueError(f"a ratio lies between 0 and 1 (0% and 100%): {text!r}")
    return value


def parse_rate_per_s(text: str | float) -> float:
    """`"100/s"`, `"30/min"` or a bare number of events a second."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"not a rate: {text!r} (examples: 100/s, 30/min)")
    return float(match[1]) / _SECONDS[match[2]]


def format_duration(seconds: float) -> str:
    """Seconds as a person would say them: `0.4 s`, `12.3 s`, `2 min 05 s`, `1 h 02 min`."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def format_money(minor: int) -> str:
    """Minor units (fen, cents) as an amount with two decimals and thousands separated."""
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100:,}.{abs(minor) % 100:02d}"
