"""CPU pressure of this machine, as its kernel counts it: whether the harness's own machine starved the load."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PRESSURE = Path("/proc/pressure/cpu")


def trouble() -> str:
    """Why the pressure cannot be read here, in which case no run could be trusted; empty when it can."""
    try:
        stalled_us(PRESSURE.read_text())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        return (
            f"{PRESSURE}: {why}: whether this machine starved the load could not be known, and every run would "
            "be inconclusive (the kernel needs CONFIG_PSI, and psi=1 on its command line where that is off)"
        )
    return ""


class PressureSampler:
    """`machine.pressure`: the share of the last second in which something here waited for a CPU."""

    def __init__(self, record: Callable[..., Any]) -> None:
        self._record = record
        self._last: tuple[int, int] | None = None

    def sample(self) -> None:
        """Read the counter once."""
        now_ns = time.monotonic_ns()
        total_us = stalled_us(PRESSURE.read_text())
        if self._last is not None:
            then_ns, then_us = self._last
            ratio = (total_us - then_us) * 1000 / max(1, now_ns - then_ns)
            self._record("machine.pressure", "kernel", mono_ns=now_ns, cpu_some_avg_ratio=round(ratio, 4))
        self._last = (now_ns, total_us)


def stalled_us(text: str) -> int:
    """The `total` of the `some` line of a pressure file, microseconds. ValueError when there is none."""
    for line in text.splitlines():
        if line.startswith("some "):
            return int(line.rpartition("total=")[2])
    raise ValueError("no 'some' line in the pressure file")
