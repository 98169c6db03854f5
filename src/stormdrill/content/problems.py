"""Collected problems, so that an author sees all of them at once, and near misses with a suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import TypeVar

from stormdrill.errors import InputError, Problem

T = TypeVar("T")


class Problems:
    """What is wrong with one file, until `raise_if_any`."""

    def __init__(self, file: Path | str) -> None:
        self.file = str(file)
        self.found: set[Problem] = set()
        self._heard: Container[int] | None = None

    def add(self, line: int, message: str) -> None:
        """Remember one problem; `line` counts from 1, 0 is the whole file."""
        if self._heard is None or line in self._heard:
            self.found.add(Problem(self.file, line, message))

    def only_on(self, lines: Container[int]) -> None:
        """From now on pass over what is said of other lines: it follows from what is known already."""
        self._heard = lines

    def raise_if_any(self) -> None:
        """Raise InputError with everything found so far."""
        if self.found:
            raise InputError(list(self.found))


def gather(into: set[Problem], read: Callable[[], T]) -> T | None:
    """Call `read`; its InputError ends in `into` instead of ending the work, and None comes back."""
    try:
        return read()
    except InputError as error:
        into.update(error.problems)
        return None


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """`unknown <what> 'x' (did you mean 'y'?)`, or the list of what there is when nothing is near."""
    names = [str(item) for item in known]
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if near:
        return f"unknown {what} '{name}' (did you mean '{near[0]}'?)"
    return f"unknown {what} '{name}' (known: {', '.join(names) or 'none'})"
