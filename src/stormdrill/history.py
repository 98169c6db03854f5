"""The run's history: append-only events on one clock, one JSON object a line.

Every line has `seq`, `mono_ns` (CLOCK_MONOTONIC of the harness's machine, shared by its children), `utc`,
`phase`, `actor`, `kind` and the event's own `data`. A line is on disk before `append` returns, so that what
happened before a `kill -9` can still be judged.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PHASES = (
    "plan", "prepare", "steady", "inject", "recover", "revert", "return", "settle",
    "audit", "measure", "judge", "report",
)  # fmt: skip


@dataclass(frozen=True)
class Event:
    """One thing that happened. `kind` is dotted, e.g. `phase.start`, `fault.applied`, `abort`."""

    seq: int
    mono_ns: int
    utc: str
    phase: str
    actor: str
    kind: str
    data: dict[str, Any] = field(default_factory=dict)


class History:
    """Appends events to `history.jsonl`; safe to call from several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._seq = sum(1 for _ in read(path)) if path.exists() else 0
        if path.exists():
            os.truncate(
                path, path.read_bytes().rfind(b"\n") + 1
            )  # a line torn by a kill must not be glued to
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd: int | None = os.open(path, flags, 0o644)
        self.phase = "plan"

    def append(
        self, kind: str, actor: str = "stormdrill", *, mono_ns: int | None = None, **data: Any
    ) -> Event:
        """Write one event now. `mono_ns` back-dates it to when it was observed.

        After `close` nothing is written: a thread that is late has nobody left to tell.
        """
        with self._lock:
            now_ns = time.monotonic_ns()
            at_ns = now_ns if mono_ns is None else mono_ns
            wall_s = time.time() - (now_ns - at_ns) / 1e9
            utc = datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="microseconds")
            event = Event(self._seq, at_ns, utc, self.phase, actor, kind, data)
            line = json.dumps(event.__dict__, separators=(",", ":"), default=str) + "\n"
            if self._fd is not None:
                os.write(self._fd, line.encode())
                os.fdatasync(self._fd)
                self._seq += 1
        return event

    def start_phase(self, phase: str) -> Event:
        """Enter a phase; the events that follow carry its name."""
        if phase not in PHASES:
            raise ValueError(f"unknown phase {phase!r}")
        self.phase = phase
        return self.append("phase.start")

    def close(self) -> None:
        """Close the file; what comes later is dropped (its descriptor may be somebody else's by then)."""
        with self._lock:
            if self._fd is not None:
                os.close(self._fd)
            self._fd = None


def read(path: Path) -> Iterator[Event]:
    """Events in order. A torn last line (the writer was killed) is left out; any other bad line raises."""
    lines = path.read_bytes().split(b"\n")
    for line in lines[:-1]:
        yield Event(**json.loads(line))
