"""`chaos run` without `stormdrill run`: start the supervisor as a child and live as long as it does."""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from stormdrill import wait as waiting
from stormdrill.chaos.client import SOCKET_VARIABLE
from stormdrill.errors import ActionError, StormdrillError

ARGUMENTS_VARIABLE = "STORMDRILL_ARGS"  # further arguments of `stormdrill run`, e.g. "--times steady=5s"
_supervisors: list[subprocess.Popen[bytes]] = []


def start(experiment: dict[str, Any]) -> None:
    """Start the supervisor for the experiment file that `chaos run` was given, and wait for its socket.

    Raises ActionError when it ends before it listens (it has printed why, e.g. bad input).
    """
    source = _source(experiment)
    directory = Path(tempfile.mkdtemp(prefix="stormdrill-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    socket = directory / "supervisor.sock"
    further = shlex.split(os.environ.get(ARGUMENTS_VARIABLE, ""))
    child = subprocess.Popen(
        [sys.executable, "-m", "stormdrill", "run", str(source), "--attach", str(socket), *further],
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches the supervisor through us, once
    )
    _supervisors.append(child)
    waiting.until(
        lambda: socket.exists() or child.poll() is not None, deadline_s=120, what="the supervisor's socket"
    )
    if not socket.exists():
        raise ActionError(f"the supervisor ended with exit code {child.wait()}; nothing was injected")
    os.environ[SOCKET_VARIABLE] = str(socket)


def running() -> bool:
    """Whether this process started the supervisor."""
    return bool(_supervisors)


def wait() -> int:
    """The supervisor's exit code, once it has written its verdict and report.

    Interrupted, it is told to stop, and waited for all the same: what was recorded is judged.
    """
    supervisor = _supervisors[0]
    try:
        return supervisor.wait()
    except BaseException:
        supervisor.terminate()
        supervisor.wait()
        raise


def _source(experiment: dict[str, Any]) -> Path:
    """The file given on `chaos run`'s command line: relative paths in the experiment start there."""
    context = click.get_current_context(silent=True)
    source = context.params.get("source") if context else None
    if not isinstance(source, str) or not Path(source).is_file():
        raise StormdrillError(
            f"cannot tell which file holds {experiment.get('title')!r}; use `stormdrill run FILE` instead"
        )
    return Path(source)
