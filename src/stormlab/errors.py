"""Errors of the lab: what a person did wrong, and what the machine refused."""

from __future__ import annotations

from collections.abc import Iterable


class LabError(Exception):
    """Something the lab could not do; its text is one clear message for a person."""


class BadInputError(LabError):
    """A content file or argument is wrong; `problems` holds one `file:line: text` each, all of them."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__("\n".join(self.problems))
