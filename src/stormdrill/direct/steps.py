"""The steps of a longer piece of work: each an event with its time, and the last word when one failed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stormdrill.fence.site import Tell


class Steps:
    """Tells `<what>.step {step, took_s, ...}` for each. `took` holds the seconds of each, in order."""

    def __init__(self, what: str, by: str, tell: Tell, **about: Any) -> None:
        self._what, self._by, self._tell, self._about = what, by, tell, about
        self._begun = time.monotonic()
        self.took: dict[str, float] = {}

    @property
    def total_s(self) -> float:
        """Seconds since the first was begun."""
        return time.monotonic() - self._begun

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step. An exception passes through, after an event that names the step."""
        begun = time.monotonic()
        try:
            yield
        except BaseException as error:
            why = str(error) or type(error).__name__
            self._tell(f"{self._what}.failed", self._by, step=name, why=why, **self._about)
            raise
        self.took[name] = round(time.monotonic() - begun, 3)
        self._tell(f"{self._what}.step", self._by, step=name, took_s=self.took[name], **self._about)
