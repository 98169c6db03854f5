"""Ages as kubectl shows them: `45s`, `3m20s`, `14m`, `5h2m`, `3d4h`."""

from __future__ import annotations

import datetime as dt

UNKNOWN = "<unknown>"


# Below this many seconds: the unit, and the smaller unit that is still shown beside it.
_STEPS = (
    (120, (1, "s"), None),
    (600, (60, "m"), (1, "s")),
    (3 * 3600, (60, "m"), None),
    (8 * 3600, (3600, "h"), (60, "m")),
    (48 * 3600, (3600, "h"), None),
    (8 * 86400, (86400, "d"), (3600, "h")),
    (730 * 86400, (86400, "d"), None),
)
_YEARS = ((365 * 86400, "y"), (86400, "d"))


def duration(seconds: float) -> str:
    """Return a span the way kubectl shortens it: fewer parts, the longer it is."""
    if seconds < -2:
        return "<invalid>"
    total = max(int(seconds), 0)
    large, small = next(((large, small) for limit, large, small in _STEPS if total < limit), _YEARS)
    text = f"{total // large[0]}{large[1]}"
    rest = total % large[0] // small[0] if small else 0
    return f"{text}{rest}{small[1]}" if small and rest else text


def since(moment: str | None, now: dt.datetime) -> str:
    """Return the age of a timestamp."""
    if not moment:
        return UNKNOWN
    return duration((now - dt.datetime.fromisoformat(moment)).total_seconds())
