"""A person at a pseudo terminal: waits for what is printed, types, presses Ctrl-C, loses patience."""

import os
import pty
import select
import signal
import sys
import time
from pathlib import Path


class Person:
    """Sits at `stormdrill runbook run ...`."""

    def __init__(self, *arguments: str | Path, cwd: Path) -> None:
        argv = [sys.executable, "-m", "stormdrill", "runbook", "run", *map(str, arguments)]
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execv(argv[0], argv)  # noqa: S606 - no shell is wanted
        self.seen = ""
        self._at = 0

    def until(self, text: str, deadline_s: float = 20) -> None:
        """Wait until `text` is printed, after what was waited for before."""
        end = time.monotonic() + deadline_s
        while text not in self.seen[self._at :]:
            assert time.monotonic() < end, f"no {text!r} in time:\n{self.seen[self._at :]}"
            assert self._read(), f"it ended without {text!r}:\n{self.seen[self._at :]}"
        self._at = self.seen.index(text, self._at) + len(text)

    def until_there(self, path: Path, deadline_s: float = 20) -> None:
        """Wait for a file."""
        end = time.monotonic() + deadline_s
        while not path.exists():
            assert time.monotonic() < end, f"no {path} in time"
            assert self._read(0.02), f"it ended:\n{self.seen[self._at :]}"

    def answer(self, text: str, answer: str) -> None:
        """Wait for a question, and answer it."""
        self.until(text)
        os.write(self._fd, f"{answer}\n".encode())

    def press(self, key: bytes) -> None:
        """A key, as the terminal sends it."""
        os.write(self._fd, key)

    def kill(self) -> None:
        """`kill -9`."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.end() == -signal.SIGKILL

    def hang_up(self) -> None:
        """The terminal goes away."""
        os.close(self._fd)
        self._fd = -1

    def end(self, deadline_s: float = 20) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + deadline_s
        while self._fd >= 0 and self._read():
            assert time.monotonic() < end, f"it does not end:\n{self.seen[self._at :]}"
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self, wait_s: float = 0.2) -> bool:
        """Take in what there is, waiting a moment; false at the end."""
        if not select.select([self._fd], [], [], wait_s)[0]:
            return True
        try:
            said = os.read(self._fd, 65536)
        except OSError:
            return False
        self.seen += said.decode(errors="replace")
        return bool(said)
