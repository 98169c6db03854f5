"""What a person sees while the lab comes up: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Protocol, TextIO

_QUIET_S = 5.0


class Progress(Protocol):
    """Where steps and waits are told."""

    def step(self, text: str) -> None:
        """Something was done, or begins."""

    def waiting(self, missing: Sequence[str]) -> None:
        """What is still missing; told again and again."""

    def close(self) -> None:
        """Nothing more comes."""


class Lines:
    """Plain lines with the seconds since the start; a wait is told when it changes, at most every 5 s."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._start = time.monotonic()
        self._told = self._start
        self._last: Sequence[str] = ()

    def step(self, text: str) -> None:
        """Print one line."""
        print(f"{time.monotonic() - self._start:6.1f} s  {text}", file=self._out, flush=True)
        self._told = time.monotonic()

    def waiting(self, missing: Sequence[str]) -> None:
        """Print the first of what is missing, now and then."""
        if missing and missing != self._last and time.monotonic() - self._told > _QUIET_S:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            self.step(f"waiting: {missing[0]}{more}")
            self._last = list(missing)

    def close(self) -> None:
        """Nothing to end."""


class Live:
    """Steps that stay, and one line below them that moves."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console  # noqa: PLC0415  a quarter second that a script need not pay

        self._console = Console(file=out)
        self._start = time.monotonic()
        self._status = self._console.status("")
        self._status.start()

    def step(self, text: str) -> None:
        """Print one line above the moving one."""
        self._console.print(f"[dim]{time.monotonic() - self._start:6.1f} s[/dim]  {text}", highlight=False)

    def waiting(self, missing: Sequence[str]) -> None:
        """Show what is missing."""
        more = f" [dim](and {len(missing) - 1} more)[/dim]" if len(missing) > 1 else ""
        self._status.update(f"{missing[0]}{more}" if missing else "")

    def close(self) -> None:
        """Take the moving line away."""
        self._status.stop()


def for_stream(out: TextIO = sys.stderr) -> Progress:
    """The right one for where the output goes."""
    return Live(out) if out.isatty() else Lines(out)
