"""Fakes as processes of their own that are there in milliseconds: forked off one that has imported all they need.

The server is this file run with a script that has a coroutine `serve(port)` which prints its port. It is told
`start`, and answers `PID PORT`; or `end PID`, and answers `ended`. With its stdin its children end.
"""

import asyncio
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path


class Forked:
    """One fake: a process that listens on `port`."""

    def __init__(self, nursery: "Nursery", pid: int, port: int) -> None:
        self.pid, self.port = pid, port
        self._nursery = nursery

    def stop(self) -> None:
        """Kill it, if it is still there; its port refuses connections from now on."""
        self._nursery.ask(f"end {self.pid}")


class Nursery:
    """Starts fakes of one script."""

    def __init__(self, script: Path) -> None:
        argv = [sys.executable, __file__, str(script)]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self) -> Forked:
        """A new fake, that knows nothing of those before."""
        pid, port = self.ask("start").split()
        return Forked(self, int(pid), int(port))

    def ask(self, line: str) -> str:
        """Tell the server; its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the server of fakes has ended"
        return answer

    def close(self) -> None:
        """End the server and all that it started."""
        self._process.communicate()


def main(script: str) -> None:
    serve = runpy.run_path(script)["serve"]
    children: set[int] = set()
    for line in sys.stdin:
        match line.split():
            case ["start"]:
                pid, port = _fork(serve)
                children.add(pid)
                print(pid, port, flush=True)
            case ["end", pid]:
                if int(pid) in children:  # not a second time: the number may be somebody else's by now
                    children.remove(int(pid))
                    _end(int(pid))
                print("ended", flush=True)
    for pid in children:
        _end(pid)


def _fork(serve) -> tuple[int, int]:
    out, into = os.pipe()
    pid = os.fork()
    if pid:
        os.close(into)
        with os.fdopen(out) as said:
            return pid, int(said.readline())
    try:
        os.close(out)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(into, 1)
        asyncio.run(serve(0))
    finally:
        os._exit(1)


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main(sys.argv[1])
