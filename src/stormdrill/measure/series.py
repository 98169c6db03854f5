"""Stored Prometheus samples as arrays, and counters as increments that survive the death of a pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stormdrill.measure.chronicle import Chronicle
from stormdrill.store import read_json

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One series: labels, sample times in monotonic nanoseconds, values (NaN where Prometheus had none)."""

    labels: Mapping[str, str]
    t_ns: npt.NDArray[np.int64]
    values: Floats

    @property
    def name(self) -> str:
        """The labels as PromQL shows them."""
        inner = ", ".join(f'{key}="{value}"' for key, value in sorted(self.labels.items()))
        return f"{{{inner}}}"


@dataclass(frozen=True)
class Series:
    """One file of `series/`. Not `fetched` means that nothing may be concluded from it."""

    query: str
    fetched: bool
    problem: str
    step_s: float
    start_ns: int
    lines: tuple[Line, ...]


def read_series(path: Path, story: Chronicle) -> Series | None:
    """One file; None when the drill stored none."""
    if not path.exists():
        return None
    raw = read_json(path)
    lines = sorted((_line(item, story) for item in raw["series"]), key=lambda line: line.name)
    return Series(
        query=raw["query"],
        fetched=bool(raw["fetched"]),
        problem=raw.get("error") or "",
        step_s=float(raw["step_s"]),
        start_ns=story.mono_ns(float(raw["start_utc_s"])),
        lines=tuple(lines),
    )


def increments(series: Series, line: Line) -> tuple[npt.NDArray[np.int64], Floats]:
    """Times and growth of a counter between samples. A fall is a restart from zero.

    A counter that appears only after the stored range began started from zero, too: clients of Prometheus
    create a labelled counter with its first count.
    """
    there = ~np.isnan(line.values)
    t_ns, values = line.t_ns[there], line.values[there]
    if not len(values):
        return t_ns, values
    grown = np.diff(values)
    grown = np.where(grown < 0, values[1:], grown)
    late = t_ns[0] - series.start_ns > 2 * series.step_s * 1e9
    return t_ns, np.r_[values[0] if late else 0.0, grown]


def within(line: Line, spans_ns: Iterator[tuple[int, int]] | list[tuple[int, int]]) -> Floats:
    """Values of the samples taken in any of the spans, in order."""
    keep = np.zeros(len(line.t_ns), np.bool_)
    for start_ns, end_ns in spans_ns:
        keep |= (line.t_ns >= start_ns) & (line.t_ns < end_ns)
    return line.values[keep]


def _line(raw: Mapping[str, Any], story: Chronicle) -> Line:
    samples = sorted(raw["samples"], key=lambda sample: sample[0])
    return Line(
        labels=dict(raw["labels"]),
        t_ns=np.array([story.mono_ns(float(t)) for t, _ in samples], np.int64),
        values=np.array([np.nan if value is None else float(value) for _, value in samples], np.float64),
    )
