"""The load generator's own health: was it on time, did it stall, did it run to the end.

A stalled generator proves nothing: what it should have asked was not asked on time, and what it waited for
may have been answered long before it looked. Requests that overlap a stall are excused by `demand`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stormdrill.units import NS_PER_MS, NS_PER_S

HOLE_NS = 2 * NS_PER_S  # lines come once a second; two missing ones are a hole
AFTERMATH_NS = 3 * NS_PER_S
STALL_MS = 500.0  # an event loop that stood still for longer has missed due times


@dataclass(frozen=True)
class Seconds:
    """The generator's one-second lines, by time."""

    t_ns: npt.NDArray[np.int64]
    offered: npt.NDArray[np.int64]
    dropped: npt.NDArray[np.int64]
    lateness_p99_ms: npt.NDArray[np.float64]
    stall_ms: npt.NDArray[np.float64]

    def between(self, start_ns: int, end_ns: int) -> Seconds:
        """The lines written in [start, end)."""
        keep = (self.t_ns >= start_ns) & (self.t_ns < end_ns)
        return Seconds(
            self.t_ns[keep], self.offered[keep], self.dropped[keep],
            self.lateness_p99_ms[keep], self.stall_ms[keep],
        )  # fmt: skip


def read_seconds(path: Path) -> Seconds:
    """Read `generator.jsonl`; a missing file is no lines, a torn last line is left out."""
    rows = []
    if path.exists():
        for line in path.read_bytes().split(b"\n")[:-1]:
            row = json.loads(line)
            rows.append(
                (
                    row["t_ns"], row["offered"], row["dropped"],
                    row["lateness_p99_ms"] or 0.0, row["loop_stall_ms"] or 0.0,
                )
            )  # fmt: skip
    rows.sort()
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    return Seconds(
        t_ns=np.array(columns[0], np.int64),
        offered=np.array(columns[1], np.int64),
        dropped=np.array(columns[2], np.int64),
        lateness_p99_ms=np.array(columns[3], np.float64),
        stall_ms=np.array(columns[4], np.float64),
    )


def stalls_ns(seconds: Seconds) -> tuple[tuple[int, int], ...]:
    """When the generator stood still: holes between lines, and stalls that its loop measured; merged."""
    found = []
    for before, after in zip(seconds.t_ns[:-1], seconds.t_ns[1:], strict=True):
        if after - before > HOLE_NS:
            found.append((int(before), int(after)))
    for at_ns, stall_ms in zip(seconds.t_ns, seconds.stall_ms, strict=True):
        if stall_ms > STALL_MS:
            # The stall lies somewhere in the second that the line reports, or before it.
            found.append((int(at_ns) - NS_PER_S - int(stall_ms * NS_PER_MS), int(at_ns)))
    return _merged(sorted(found))


def excusing(stalls: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The stalls with their aftermath: what the generator catches up with is a surge that nobody asked for."""
    return _merged([(begin, finish + AFTERMATH_NS) for begin, finish in stalls])


def overlaps(
    start_ns: npt.NDArray[np.int64], end_ns: npt.NDArray[np.int64], stalls: Sequence[tuple[int, int]]
) -> npt.NDArray[np.bool_]:
    """Which of the intervals [start, end] touch a stall."""
    touched = np.zeros(len(start_ns), np.bool_)
    for begin, finish in stalls:
        touched |= (start_ns <= finish) & (end_ns >= begin)
    return touched


def _merged(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
