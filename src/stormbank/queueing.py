"""How long a request waited for its turn, told from hop to hop in the header Bank-Queue-Ms of the answer.

An answer's duration has work in it, and waiting. Only a service knows which was which: what it waited for worker slots
itself, and what the services that it asked say of theirs. Whoever admits requests needs the waiting alone.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

HEADER: Final = "Bank-Queue-Ms"


class _Waited:
    """Of one request; tasks made for it share it."""

    __slots__ = ("known", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.known = False


_waited: ContextVar[_Waited | None] = ContextVar("waited", default=None)


def begin() -> None:
    """A request begins: nothing is known yet."""
    _waited.set(_Waited())


def note(seconds: float) -> None:
    """The request of this task has waited for so long, here or further on."""
    waited = _waited.get()
    if waited is not None:
        waited.known = True
        waited.seconds += seconds


def told() -> str | None:
    """Return the header's value for this task's request, in milliseconds; None when nobody noted anything."""
    waited = _waited.get()
    return f"{waited.seconds * 1000:.1f}" if waited is not None and waited.known else None


def seconds_in(value: str | None) -> float | None:
    """Read the header; None when it is absent or makes no sense."""
    if value is None:
        return None
    try:
        milliseconds = float(value)
    except ValueError:
        return None
    return milliseconds / 1000 if 0.0 <= milliseconds < float("inf") else None
