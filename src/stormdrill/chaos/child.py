"""Chaos Toolkit as a child of the supervisor: its own command line, which cannot outlive the supervisor.

Run as `python -m stormdrill.chaos.child PARENT_PID ARGUMENT...`. The kernel kills this process when the
thread that started it dies; comparing the parent's pid closes the gap before that was asked for.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int, how: signal.Signals = signal.SIGKILL) -> None:
    """Ask for `how` when the parent dies; exit at once if it has died already. OSError when refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(how), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:
        sys.exit(f"parent {parent_pid} is gone")


def main(argv: list[str]) -> None:
    """Become `chaos` with the arguments after the first, which is the parent's pid."""
    die_with_parent(int(argv[0]))
    from chaostoolkit.cli import cli  # noqa: PLC0415 - 0.7 s of imports: only once the child is safe

    cli(args=argv[1:], prog_name="chaos")


if __name__ == "__main__":
    main(sys.argv[1:])
