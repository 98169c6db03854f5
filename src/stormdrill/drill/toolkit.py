"""Chaos Toolkit as a child process of the supervisor, in its own session; its end is SIGKILL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from stormdrill.chaos.client import SOCKET_VARIABLE
from stormdrill.store import Run

_EXIT_S = 10.0


class Toolkit:
    """A running `chaos run`. Start it from the main thread: it dies with the thread that started it."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @classmethod
    def start(cls, experiment: Path, run: Run, socket: Path) -> Toolkit:
        """Run the experiment; rollbacks always, though nothing of ours relies on them."""
        log = run.path / "chaos.log"
        command = [
            sys.executable, "-m", "stormdrill.chaos.child", str(os.getpid()),
            "--no-version-check", "--no-log-file", "--settings", os.devnull,
            "run", "--rollback-strategy", "always", "--journal-path", os.devnull, str(experiment),
        ]  # fmt: skip
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, SOCKET_VARIABLE: str(socket)},
                start_new_session=True,
            )
        return cls(process, log)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def why_dead(self) -> str:
        """Its exit and the last line it printed."""
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return f"Chaos Toolkit ended with {self._process.poll()}: {lines[-1] if lines else 'no output'}"

    def leave(self) -> None:
        """Let it end by itself after its last report; SIGKILL when it does not."""
        try:
            self._process.wait(timeout=_EXIT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: no rollback, no further activity. Nothing happens when it has ended."""
        if self.alive:
            self._process.kill()
            self._process.wait()
