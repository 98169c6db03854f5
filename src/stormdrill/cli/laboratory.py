"""The lab from the command line: always another program, started as a child, never imported."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stormdrill.cli.output import complain, reader_may_leave
from stormdrill.drill.stop import Stop
from stormdrill.errors import InputError, Problem, StormdrillError

_UP_S = 300.0
_LAB = [sys.executable, "-m", "stormlab"]


def lab(arguments: argparse.Namespace) -> int:
    """Pass an action on to the lab; its exit code is ours, and Ctrl-C is its own affair."""
    # A handler, not SIG_IGN: the child would inherit that and ignore Ctrl-C as well.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.run([*_LAB, arguments.action, *arguments.arguments], check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def problems_of(topology: Path) -> list[Problem]:
    """What is wrong with the lab's half of a topology file, as the lab reads it; places are named as `topology` is."""
    code, said = _finish(_start("check", str(topology), "--alone", "--json", quiet=True))
    if code == 0:
        return []
    found = _report(said).get("problems") or [f"the lab could not read it (exit {code})"]
    return [_problem(topology, str(text)) for text in found]


def _problem(topology: Path, said: str) -> Problem:
    """`said` is `file:line: text` when it has a place; the lab names the file by its full path."""
    place = re.match(rf"{re.escape(str(topology.resolve()))}:(\d+): ", said)
    return Problem(str(topology), int(place[1]) if place else 0, said[place.end() :] if place else said)


@contextmanager
def running(topology: Path, stop: Stop, *, quiet: bool) -> Iterator[Path]:
    """The lab of a topology, up inside the block, down after it (also when stopped); yields its kubeconfig.

    Only what this call brought up goes down, half made or whole: a lab that was up before stays up, another
    drill may be running on it. InputError when it does not come up; what it said is printed.
    """
    maker = secrets.token_hex(8)
    try:
        yield _up(topology, maker, stop, quiet=quiet)
    finally:
        code, said = _finish(_start("down", "--topology", str(topology), "--maker", maker, "--json"))
        if code != 0:
            complain(f"the lab did not go down cleanly (exit {code}): {said}")
        elif _report(said).get("kept"):
            stays = "was there before and stays: `stormdrill lab down` takes it down"
            complain(f"lab {topology.stem}: {stays}")


def _up(topology: Path, maker: str, stop: Stop, *, quiet: bool) -> Path:
    if not quiet:
        _say(f"lab {topology.stem}: starting")
    began = time.monotonic()
    up = _start("up", "--topology", str(topology), "--maker", maker, "--json")
    try:
        stop.until(lambda: up.poll() is not None, deadline_s=_UP_S, what="the lab")
    except StormdrillError:
        up.terminate()
        _finish(up)
        raise
    code, said = _finish(up)
    if code != 0:
        raise InputError(f"the lab does not come up (exit {code}): {said}")
    kubeconfig = _report(said).get("kubeconfig")
    if kubeconfig is None:
        raise InputError(f"the lab did not say where its kubeconfig is: {said!r}")
    if not quiet:
        _say(f"lab {topology.stem}: ready after {time.monotonic() - began:.1f} s")
    return Path(kubeconfig)


def _report(said: str) -> dict[str, Any]:
    """What the lab's last line tells a script; empty when that is no report."""
    try:
        return dict(json.loads(said.splitlines()[-1]))
    except (ValueError, TypeError, IndexError):
        return {}


def _say(text: str) -> None:
    with reader_may_leave():
        print(text)


def _start(*arguments: str, quiet: bool = False) -> subprocess.Popen[str]:
    """Run the lab's command in its own session, so that Ctrl-C at the terminal reaches only us."""
    return subprocess.Popen(
        [*_LAB, *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if quiet else None,
        text=True, start_new_session=True,
    )  # fmt: skip


def _finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end; exit code and what it printed on stdout."""
    said, _ = process.communicate()
    return process.returncode, said.strip()
