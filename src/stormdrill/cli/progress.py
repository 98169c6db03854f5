"""What a drill shows: a live line on a terminal, short lines elsewhere, nothing with `--json`."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stormdrill.cli.output import Forgiving
from stormdrill.drill.view import Quiet, View
from stormdrill.load.live import LoadSecond

_LINE_EVERY_S = 5


@contextmanager
def progress(experiment: str, *, as_json: bool) -> Iterator[View]:
    """The view that fits where stdout goes."""
    if as_json:
        yield Quiet()
        return
    console = Console(file=Forgiving(sys.stdout), highlight=False)  # type: ignore[arg-type]
    if not console.is_terminal:
        yield Lines(experiment)
        return
    panel = Panel(experiment)
    with Live(panel, console=console, refresh_per_second=4) as live:
        panel.say = lambda text: live.console.print(Text(f"  {text}"))  # type: ignore[method-assign]
        yield panel


class Lines:
    """A line for each phase and each thing worth saying, and one of load every few seconds."""

    def __init__(self, experiment: str) -> None:
        self._experiment = experiment
        self._began = time.monotonic()
        self._seconds = 0
        self._lock = threading.Lock()

    def phase(self, name: str) -> None:
        """A phase begins."""
        self._print(name)

    def second(self, second: LoadSecond) -> None:
        """Every few seconds, the load."""
        self._seconds += 1
        if self._seconds % _LINE_EVERY_S == 0:
            self._print("  " + _load_text(second))

    def say(self, text: str) -> None:
        """A fault, a proof, a reason."""
        self._print("  " + text)

    def _print(self, text: str) -> None:
        with self._lock, suppress(OSError):  # a reader that has gone must not end the drill
            print(f"{self._experiment} {time.monotonic() - self._began:6.1f} s  {text}", flush=True)


class Panel:
    """Phase, clock, load and goodput, redrawn in place; what is said scrolls above."""

    def __init__(self, experiment: str) -> None:
        self._experiment = experiment
        self._began = time.monotonic()
        self._phase, self._phase_began = "plan", self._began
        self._last: LoadSecond | None = None

    def phase(self, name: str) -> None:
        """A phase begins."""
        self._phase, self._phase_began = name, time.monotonic()

    def second(self, second: LoadSecond) -> None:
        """The newest second of load."""
        self._last = second

    def say(self, text: str) -> None:
        """Replaced by the live display's own console."""

    def __rich__(self) -> Table:
        """One line: everything a watcher asks for first."""
        now = time.monotonic()
        row = Table.grid(padding=(0, 2))
        row.add_row(
            Text(self._experiment, style="bold"),
            Text(f"{now - self._began:5.0f} s"),
            Text(f"{self._phase} {now - self._phase_began:.0f} s", style="bold cyan"),
            Text(_load_text(self._last) if self._last else "no load yet"),
        )
        return row


def _load_text(second: LoadSecond) -> str:
    hurt = second.failed + second.unknown + second.blocked + second.dropped
    return (
        f"offered {second.offered}/s good {second.good}/s hurt {hurt} shed {second.shed} "
        f"p99 {second.p99_ms:.0f} ms in flight {second.inflight}"
    )
