"""The lab from the command line: always another program, started as a child, never imported."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stormdrill.cli.output import complain, reader_may_leave
from stormdrill.drill.stop import Stop
from stormdrill.errors import InputError, StormdrillError

_UP_S = 300.0
_LAB = [sys.executable, "-m", "stormlab"]


def lab(arguments: argparse.Namespace) -> int:
    """Pass an action on to the lab; its exit code is ours."""
    return subprocess.run([*_LAB, arguments.action, *arguments.arguments], check=False).returncode


@contextmanager
def running(topology: Path, stop: Stop, *, quiet: bool) -> Iterator[Path]:
    """The lab of a topology, up inside the block, down after it (also when stopped); yields its kubeconfig.

    A lab that was up before is taken down as well: whoever wants to keep one uses `lab up` and no `--lab`.
    InputError when it does not come up; what it said is printed.
    """
    try:
        yield _up(topology, stop, quiet=quiet)
    finally:
        code, said = _finish(_start("down", "--topology", str(topology), "--json"))
        if code != 0:
            complain(f"the lab did not go down cleanly (exit {code}): {said}")


def _up(topology: Path, stop: Stop, *, quiet: bool) -> Path:
    if not quiet:
        _say(f"lab {topology.stem}: starting")
    began = time.monotonic()
    up = _start("up", "--topology", str(topology), "--json")
    try:
        stop.until(lambda: up.poll() is not None, deadline_s=_UP_S, what="the lab")
    except StormdrillError:
        up.terminate()
        _finish(up)
        raise
    code, said = _finish(up)
    if code != 0:
        raise InputError(f"the lab does not come up (exit {code}): {said}")
    try:
        kubeconfig = Path(json.loads(said.splitlines()[-1])["kubeconfig"])
    except (ValueError, KeyError, IndexError):
        raise InputError(f"the lab did not say where its kubeconfig is: {said!r}") from None
    if not quiet:
        _say(f"lab {topology.stem}: ready after {time.monotonic() - began:.1f} s")
    return kubeconfig


def _say(text: str) -> None:
    with reader_may_leave():
        print(text)


def _start(*arguments: str) -> subprocess.Popen[str]:
    """Run the lab's command in its own session, so that Ctrl-C at the terminal reaches only us."""
    return subprocess.Popen(
        [*_LAB, *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def _finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end; exit code and what it printed on stdout."""
    said, _ = process.communicate()
    return process.returncode, said.strip()
