"""The generator as a child process: start, watch, stop. The parent never imports Locust.

The child is told everything on its stdin and answers with JSON lines on a socket pair: `{"ready": ...}` once
its clock runs, `{"second": ...}` every second, `{"error": text}` when it cannot go on, `{"done": true}` at
its end. It dies with its parent (parent-death signal, and end of file on the socket).
"""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Self, TextIO

from stormdrill.errors import TargetError
from stormdrill.load.config import LoadConfig
from stormdrill.load.live import LoadSecond
from stormdrill.plan import Plan
from stormdrill.store import Run

READY_S = 60.0
STOP_S = 4.0
KEPT_SECONDS = 7200
_POLL_S = 0.1

OnSecond = Callable[[LoadSecond], None]


class LoadProcess:
    """A running generator. All methods may be called from any thread; `on_second` is called in ours."""

    def __init__(self, config: LoadConfig, on_second: OnSecond) -> None:
        self._config = config
        self._on_second = on_second
        self._seconds: collections.deque[LoadSecond] = collections.deque(maxlen=KEPT_SECONDS)
        self._started = threading.Event()
        self._settled = threading.Event()  # ready, or ended before
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._error = ""
        self._unwanted = False
        self.ready_ns = 0
        self._thread = threading.Thread(target=self._follow, name="load", daemon=True)

    @classmethod
    def start(
        cls,
        plan: Plan,
        run: Run,
        on_second: OnSecond,
        ready_timeout_s: float = READY_S,
        check: Callable[[], None] = lambda: None,
        *,
        authorities: Mapping[str, str] = MappingProxyType({}),
    ) -> Self:
        """Start the load of `plan` and return when its clock runs (tokens fetched, first arrivals due).

        TargetError when the generator cannot start: a locustfile that does not load, a bank that lets nobody
        in. Whatever `check` raises meanwhile ends the wait. Nothing is left running in either case.
        """
        return cls.launch(LoadConfig.from_plan(plan, run, authorities), on_second, ready_timeout_s, check)

    @classmethod
    def launch(
        cls,
        config: LoadConfig,
        on_second: OnSecond,
        ready_timeout_s: float = READY_S,
        check: Callable[[], None] = lambda: None,
    ) -> Self:
        """As `start`, from a configuration."""
        load = cls(config, on_second)
        load._thread.start()
        end = time.monotonic() + ready_timeout_s
        try:
            while not load._settled.wait(_POLL_S) and time.monotonic() < end:
                check()
        except BaseException:
            load.kill()
            raise
        if load.ready_ns:
            return load
        why = load._error or f"not ready within {ready_timeout_s:g} s"
        load.kill()
        raise TargetError(f"load generator: {why} (log: {config.log_file})")

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._started.is_set() and not self._ended.is_set()

    @property
    def pid(self) -> int:
        """The child's process id; 0 when it could not be started."""
        return self._process.pid if self._process else 0

    @property
    def seconds(self) -> list[LoadSecond]:
        """The seconds reported so far (the newest two hours of them)."""
        return list(self._seconds)

    @property
    def error(self) -> str:
        """Why the child ended by itself; empty while it runs or after an ordinary stop."""
        return self._error

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Ask for an orderly end (2 s for what is in flight) and wait; SIGKILL after `timeout_s`."""
        if self._process and not self._ended.is_set():
            self._process.terminate()
        if not self._ended.wait(timeout_s):
            self.kill()

    def kill(self) -> None:
        """SIGKILL. What was recorded stays readable."""
        self._unwanted = True
        if self._process:
            self._process.kill()
        self._ended.wait(STOP_S)

    def _follow(self) -> None:
        """Own the child from start to end: the parent-death signal is tied to the thread that started it."""
        ours, theirs = socket.socketpair()
        try:
            self._spawn(theirs)
            with ours, ours.makefile("r", encoding="utf-8") as lines:
                self._read(lines)
            self._reap()
        except OSError as error:
            self._error = self._error or str(error)
        finally:
            self._ended.set()
            self._settled.set()

    def _spawn(self, theirs: socket.socket) -> None:
        with theirs, self._config.log_file.open("ab") as log:
            config = dataclasses.replace(self._config, channel_fd=theirs.fileno(), parent_pid=os.getpid())
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stormdrill.load.child"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C at the terminal is the supervisor's to answer
            )
        self._started.set()
        if self._unwanted:  # killed before there was anything to kill
            self._process.kill()
        stdin = self._process.stdin
        if stdin is not None:
            with stdin:
                stdin.write(config.to_text().encode())

    def _read(self, lines: TextIO) -> None:
        for line in lines:
            if line.endswith("\n"):
                self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if "second" in message:
            second = LoadSecond.from_json(message["second"])
            self._seconds.append(second)
            try:
                self._on_second(second)
            except Exception as error:  # noqa: BLE001 - the caller's mistake must not leave the child unwatched
                self._error = self._error or f"on_second: {type(error).__name__}: {error}"
        elif "ready" in message:
            self.ready_ns = int(message["ready"])
            self._settled.set()
        elif "error" in message:
            self._error = str(message["error"])

    def _reap(self) -> None:
        if self._process is None:
            return
        code = self._process.wait()
        if code != 0 and not self._error:
            self._error = f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
