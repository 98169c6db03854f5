"""All tests, in four rounds: what measures milliseconds, the bank, the drills on whole labs, what only computes.

Each part is a pytest of its own, in a session of its own. What only computes comes last and not beside the others: its
servers and clients have deadlines, too, and two cores that drill have no time for them.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Self

_LEADER = ("sh", "-c", '"$@"; exit $?', "sh")
"""Leads the session in pytest's place: what a test makes of its own process's priority is not the session's then."""
_FAILURES = re.compile(r"=+ (FAILURES|ERRORS) =+")
_SAID_AGAIN = 120
"""Lines of a part that failed, at the very end: nobody has to look for the first round under the last one."""
_END_S = 90
"""For a part to take down what it made after Ctrl-C."""


@dataclass(frozen=True)
class Part:
    """Some of the tests, and how they run."""

    name: str
    paths: tuple[str, ...]
    options: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    """Paths below `paths` that belong to other parts."""


ROUNDS: tuple[tuple[Part, ...], ...] = (
    (
        Part(
            "measuring",
            (
                "tests/unit/agent",
                "tests/unit/canary",
                "tests/unit/load",
                "tests/unit/drill/test_whole_drill.py",
                "tests/lab/machine",
            ),
            ("-n", "5", "--dist", "loadscope"),
        ),
    ),
    # Each file's processes of the bank have deadlines, and a PostgreSQL beside them.
    (Part("bank", ("tests/lab/bank",), ("-n", "6", "--dist", "worksteal")),),
    (
        Part(
            "drills",
            (
                "tests/lab/drill",
                "tests/lab/test_small.py",
                "tests/lab/test_harness_clients.py",
                "tests/lab/release",  # like those before on the one lab `small`
                "tests/lab/test_archives.py",
                "tests/lab/test_remap_job.py",
            ),
        ),
        Part(
            "labs",
            (
                "tests/lab/failover",  # leaves its lab whole
                "tests/lab/verdicts",  # long, all of it
                "tests/lab/lost",  # takes that lab, and leaves none
                "tests/lab/kills",
                "tests/lab/tls",  # a lab under the same name as those before
                "tests/lab/second_estate",
                "tests/lab/test_life_cycle.py",
                "tests/lab/test_two_labs.py",
                "tests/lab/test_machine_untouched.py",
                "tests/lab/anykill",
                "tests/lab/test_full.py",
                "tests/lab/full",  # long, all of it, like the next two
                "tests/lab/estates",
                "tests/lab/test_contract.py",
            ),
        ),
    ),
    (
        Part(
            "computing",
            ("tests/unit", "tests/golden", "tests/contract", "tests/content"),
            ("-n", "3", "--dist", "loadscope"),  # a good half of them wait, and may as well do it together
            without=(
                "tests/unit/agent",
                "tests/unit/canary",
                "tests/unit/load",
                "tests/unit/drill/test_whole_drill.py",
            ),
        ),
    ),
)


def main() -> int:
    """Run every part; 0 when all of them passed, 1 otherwise, 130 after Ctrl-C."""
    began_s = time.monotonic()
    with _Interrupt() as interrupt:
        parts: list[_Running] = []
        for together in ROUNDS:
            started = [_Running(part, interrupt) for part in together if not interrupt.came]
            parts += started
            for part in started:
                part.join()
        if interrupt.came:
            print("interrupted", flush=True)
            return 130
    failed = [part.name for part in parts if part.failed]
    for part in parts:
        part.say_again()
    print(
        f"{'failed: ' + ', '.join(failed) if failed else 'all parts passed'}, {_since(began_s)}", flush=True
    )
    return 1 if failed else 0


class _Running:
    """A part under way, and its output, line by line as it comes."""

    def __init__(self, part: Part, interrupt: _Interrupt) -> None:
        self.name = part.name
        self._process = subprocess.Popen(
            [*_LEADER, *_argv(part)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, bufsize=1, start_new_session=True,
        )  # fmt: skip
        interrupt.watch(self._process)
        self._failures: deque[str] = deque(maxlen=_SAID_AGAIN)
        self._teller = threading.Thread(target=self._tell)
        self._teller.start()

    def join(self) -> None:
        """Wait for its end."""
        self._teller.join()
        self._process.wait()

    @property
    def failed(self) -> bool:
        """Whether it ended with anything but success."""
        return self._process.returncode != 0

    def say_again(self) -> None:
        """Print what failed once more, if anything did."""
        if self.failed and self._failures:
            print(f"\n{self.name} failed:\n{''.join(self._failures)}", flush=True)

    def _tell(self) -> None:
        began_s = time.monotonic()
        failing = False
        for line in self._process.stdout or ():
            print(f"{self.name:>9} {_since(began_s):>7} | {line}", end="", flush=True)
            failing = failing or _FAILURES.match(line) is not None
            if failing:
                self._failures.append(line)


def _argv(part: Part) -> list[str]:
    ignored = [f"--ignore={path}" for path in part.without]
    return [
        sys.executable, "-m", "pytest", "-q", "-m", "not long", "-o", "console_output_style=count",
        *part.options, *ignored, *part.paths,
    ]  # fmt: skip


def _since(began_s: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - began_s), 60)
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


class _Interrupt:
    """Ctrl-C and SIGTERM, passed on so that every part takes down what it made; the second time, or late: SIGKILL."""

    def __init__(self) -> None:
        self.came = False
        self._watched: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._watched:
            self._kill(process)

    def watch(self, process: subprocess.Popen[str]) -> None:
        """Include a part."""
        self._watched.append(process)

    def _pass_on(self, *_: object) -> None:
        again, self.came = self.came, True
        for process in self._watched:
            if again:
                self._kill(process)
            elif process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
        if not again:
            late = threading.Timer(_END_S, lambda: [self._kill(process) for process in self._watched])
            late.daemon = True
            late.start()

    @staticmethod
    def _kill(process: subprocess.Popen[str]) -> None:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main())
