"""Ending one of PostgreSQL's programs."""

from __future__ import annotations

import subprocess
from typing import Any, Final

END_S: Final = 5.0
"""How long a program may take to end by itself when it is told to."""


def end(process: subprocess.Popen[Any]) -> None:
    """End it if it runs, by force in the end; returns when it has ended."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
