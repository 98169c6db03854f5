"""What a request came to, in the words of the metrics and of whoever judges them."""

from __future__ import annotations

from typing import Final

CALLER_GONE: Final = 499  # as others number it


def outcome_of(status: int) -> str:
    """Name what an HTTP status says of a request: good, refused, shed, failed or gone."""
    if status < 400:
        return "good"
    if status == 429:
        return "shed"
    if status == CALLER_GONE:
        return "gone"
    return "refused" if status < 500 else "failed"
