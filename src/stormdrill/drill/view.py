"""What a person sees of a running drill. The command line implements it; a drill needs no terminal."""

from __future__ import annotations

from typing import Protocol

from stormdrill.load.live import LoadSecond


class View(Protocol):
    """Told what happens, from several threads; must return at once."""

    def phase(self, name: str) -> None:
        """A phase begins."""

    def second(self, second: LoadSecond) -> None:
        """One second of load."""

    def say(self, text: str) -> None:
        """Something a watcher wants to know: a fault, a proof, a reason to stop."""


class Quiet:
    """Shows nothing."""

    def phase(self, name: str) -> None:
        """Nothing."""

    def second(self, second: LoadSecond) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""
