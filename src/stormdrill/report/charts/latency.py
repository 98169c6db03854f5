"""Response times over time: p50 and p99 of right answers, from the due time, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stormdrill.measure.values import Measurements
from stormdrill.report.charts import svg
from stormdrill.report.charts.frame import (
    LEFT,
    RIGHT,
    WIDTH,
    Frame,
    fault_marks,
    hurt_shade,
    phase_bands,
    time_axis,
    value_axis,
    zero_of,
)

HEIGHT, TOP, BOTTOM = 270.0, 44.0, 208.0


def latency_chart(measured: Measurements, deadline_ms: float | None, hurt_until_s: float | None) -> str:
    """The picture; empty when nothing was answered. `deadline_ms` is drawn as the line not to cross."""
    p50, p99 = measured.timeline.p50_ms, measured.timeline.p99_ms
    known = [value for value in (*p50, *p99) if value]
    if not known:
        return ""
    low = 10.0 ** math.floor(math.log10(max(min(known), 0.1)))
    high = 10.0 ** math.ceil(math.log10(max(*known, deadline_ms or 0, low * 10) * 1.01))
    span = math.log10(high / low)

    def to_y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * math.log10(max(value, low) / low) / span

    from_s = measured.timeline.start_s - zero_of(measured)
    frame = Frame(from_s, from_s + len(p50), TOP, BOTTOM, to_y)
    decades = [low * 10.0**k for k in range(round(span) + 1)]
    return svg.drawing(
        WIDTH, HEIGHT, "Response time p50 and p99 over time",
        *phase_bands(frame, measured),
        *hurt_shade(frame, measured, hurt_until_s),
        *value_axis(frame, decades, "ms, log"),
        *fault_marks(frame, measured),
        *_deadline(frame, deadline_ms),
        *_lines(frame, p50, "p50"),
        *_lines(frame, p99, "p99"),
        *time_axis(frame, "seconds from t0"),
        *_hovers(frame, p50, p99),
        *_legend(),
    )  # fmt: skip


def _lines(frame: Frame, values: Sequence[float | None], name: str) -> list[str]:
    """One path for each stretch without a hole: a second without answers has no response time."""
    parts, points = [], []
    for i, value in enumerate([*values, None]):
        if value is not None:
            points.append((frame.x(frame.from_s + i + 0.5), frame.to_y(value)))
        elif points:
            ends = points if len(points) > 1 else [points[0], (points[0][0] + 1.5, points[0][1])]
            parts.append(svg.path(ends, f"line c-{name}"))
            points = []
    return parts


def _deadline(frame: Frame, deadline_ms: float | None) -> list[str]:
    if deadline_ms is None:
        return []
    y = frame.to_y(deadline_ms)
    words = f"deadline {deadline_ms:g} ms"
    return [
        svg.line(LEFT, y, WIDTH - RIGHT, y, "deadline"),
        svg.text(words, LEFT + 6, y - 5, class_="deadline-name"),
    ]


def _hovers(frame: Frame, p50: Sequence[float | None], p99: Sequence[float | None]) -> list[str]:
    parts = []
    for i, (middle, tail) in enumerate(zip(p50, p99, strict=True)):
        start_s = frame.from_s + i
        told = (
            f"p50 {middle:g} ms, p99 {tail:g} ms"
            if middle is not None and tail is not None
            else "no right answer"
        )
        x, end = frame.x(start_s), frame.x(start_s + 1)
        parts.append(
            svg.rect(x, frame.top, end - x, frame.bottom - frame.top, "hover", f"{start_s:g} s: {told}")
        )
    return parts


def _legend() -> list[str]:
    y, parts = HEIGHT - 12, []
    for i, name in enumerate(("p50", "p99")):
        x = LEFT + i * 80
        parts += [svg.line(x, y - 4, x + 22, y - 4, f"line c-{name}"), svg.text(name, x + 28, y)]
    return parts
