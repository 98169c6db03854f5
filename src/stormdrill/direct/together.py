"""One piece of work for each of several cells, side by side: what came of each, and one error for what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from stormdrill.errors import Aborted, ActionError, StormdrillError, TargetError

T = TypeVar("T")
Failed = dict[str, StormdrillError]


def together(work: Mapping[str, Callable[[], T]]) -> tuple[dict[str, T], Failed]:
    """Do all of it, whatever becomes of one; what each gave, and what each raised."""

    def attempt(do: Callable[[], T]) -> T | StormdrillError:
        try:
            return do()
        except StormdrillError as error:
            return error

    if len(work) < 2:
        ended = {cell: attempt(do) for cell, do in work.items()}
    else:
        with ThreadPoolExecutor(max_workers=len(work)) as pool:
            ended = dict(zip(work, pool.map(attempt, work.values()), strict=True))
    failed: Failed = {cell: end for cell, end in ended.items() if isinstance(end, StormdrillError)}
    return {cell: end for cell, end in ended.items() if not isinstance(end, StormdrillError)}, failed


def error_of(failed: Failed, several: bool, beside: str = "") -> StormdrillError:
    """What to raise: the error itself where there is one cell only, else one that names the cells.

    A run that was ended is that before all else. `beside` is what came of the other cells.
    """
    first = next(iter(failed.values()))
    if not several:
        return first
    if aborted := next((error for error in failed.values() if isinstance(error, Aborted)), None):
        return aborted
    text = "; ".join([*(f"{cell}: {error}" for cell, error in failed.items()), *([beside] if beside else [])])
    lost = any(isinstance(error, TargetError) for error in failed.values())
    return TargetError(text) if lost else ActionError(text)


def listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
