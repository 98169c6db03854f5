"""Run a command as root: root runs it as it is, others through sudo, and what it leaves here stays theirs."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

_LEFT = ("runs", ".pytest_cache", ".hypothesis")
"""What commands write into the directory they are called in."""


def main(argv: list[str]) -> int:
    """Run the command; its exit code, or 2 with the way to become root when there is none from here."""
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            command = f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join(argv)}"
            why = (
                "the lab makes network devices and control groups: that takes root, and there is no sudo here"
            )
            print(f"{why}\nrun this: su -c {shlex.quote(command)}", file=sys.stderr)
            return 2
        again = ["sudo", "-E", sys.executable, str(Path(__file__).resolve()), *argv]
        os.execvp("sudo", again)  # noqa: S606  no shell wanted
    if "SUDO_UID" not in os.environ:
        os.execvp(argv[0], argv)  # noqa: S606  no shell wanted
    code = _run(argv)
    _give_back(f"{os.environ['SUDO_UID']}:{os.environ.get('SUDO_GID', '')}")
    return code


def _run(argv: list[str]) -> int:
    """Run the command and outlive it. The terminal's Ctrl-C reaches it without us; other signals are passed on."""
    signal.signal(signal.SIGINT, lambda *_: None)
    with subprocess.Popen(argv) as child:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: child.send_signal(number))
        code = child.wait()
    return code if code >= 0 else 128 - code


def _give_back(owner: str) -> None:
    left = [name for name in _LEFT if Path(name).exists()]
    if left:
        subprocess.run(["chown", "-R", "-h", owner, *left], check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
