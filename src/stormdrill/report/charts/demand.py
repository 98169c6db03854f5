"""Demand over time: what was offered, and what became of it, stacked by the second."""

from __future__ import annotations

from collections.abc import Sequence

from stormdrill.measure.values import Measurements
from stormdrill.report.charts import svg
from stormdrill.report.charts.frame import (
    LEFT,
    WIDTH,
    Frame,
    fault_marks,
    hurt_shade,
    phase_bands,
    steps,
    time_axis,
    value_axis,
    zero_of,
)

HEIGHT, TOP, BOTTOM = 330.0, 44.0, 268.0
MAX_COLUMNS = 600
STACK = ("good", "late", "excused", "blocked", "shed", "unknown", "failed", "dropped")
LEGEND = {
    "good": "good", "late": "late", "excused": "no evidence", "blocked": "blocked", "shed": "shed",
    "unknown": "unknown", "failed": "failed", "dropped": "dropped by the generator",
}  # fmt: skip


def demand_chart(measured: Measurements, hurt_until_s: float | None) -> str:
    """The picture; empty when nothing was recorded."""
    series = measured.timeline.series
    offered = series.get("offered", ())
    if not offered:
        return ""
    width_s = -(-len(offered) // MAX_COLUMNS)
    columns = {name: _rates(series.get(name, ()), width_s) for name in ("offered", *STACK)}
    from_s = measured.timeline.start_s - zero_of(measured)
    # A second that the run only grazed would draw as a dip that never was.
    to_s = from_s + len(columns["offered"]) * width_s
    top = max(columns["offered"]) or 1.0
    high = top * 1.08
    frame = Frame(from_s, to_s, TOP, BOTTOM, lambda value: BOTTOM - (BOTTOM - TOP) * value / high)
    shown = [name for name in STACK if any(columns[name]) or name == "good"]
    return svg.drawing(
        WIDTH, HEIGHT, "Requests a second over time, by what became of them",
        *phase_bands(frame, measured),
        *hurt_shade(frame, measured, hurt_until_s),
        *value_axis(frame, steps(0, high, 5), "requests/s"),
        *_areas(frame, columns, shown, width_s),
        _offered(frame, columns["offered"], width_s),
        *fault_marks(frame, measured),
        *time_axis(frame, "seconds from t0"),
        *_hovers(frame, columns, shown, width_s),
        *_legend(shown),
    )  # fmt: skip


def _rates(counts: Sequence[int], width_s: int) -> list[float]:
    return [sum(counts[i : i + width_s]) / width_s for i in range(0, len(counts), width_s)]


def _areas(frame: Frame, columns: dict[str, list[float]], shown: Sequence[str], width_s: int) -> list[str]:
    """Areas as steps, each on top of the one before."""
    floor = [0.0] * len(columns["offered"])
    parts = []
    for name in shown:
        roof = [low + value for low, value in zip(floor, columns[name], strict=True)]
        outline = _steps(frame, roof, width_s) + list(reversed(_steps(frame, floor, width_s)))
        parts.append(svg.path(outline, f"area c-{name}", closed=True))
        floor = roof
    return parts


def _steps(frame: Frame, values: Sequence[float], width_s: int) -> list[tuple[float, float]]:
    points = []
    for i, value in enumerate(values):
        start_s = frame.from_s + i * width_s
        y = frame.to_y(value)
        points += [(frame.x(start_s), y), (frame.x(start_s + width_s), y)]
    return points


def _offered(frame: Frame, values: Sequence[float], width_s: int) -> str:
    return svg.path(_steps(frame, values, width_s), "offered")


def _hovers(frame: Frame, columns: dict[str, list[float]], shown: Sequence[str], width_s: int) -> list[str]:
    """One invisible column a second that tells its numbers."""
    parts = []
    for i, offered in enumerate(columns["offered"]):
        start_s = frame.from_s + i * width_s
        told = ", ".join(f"{LEGEND[name]} {columns[name][i]:g}" for name in shown if columns[name][i])
        x, end = frame.x(start_s), frame.x(start_s + width_s)
        hover = f"{start_s:g} s: offered {offered:g} a second; {told or 'nothing ended well'}"
        parts.append(svg.rect(x, frame.top, end - x, frame.bottom - frame.top, "hover", hover))
    return parts


def _legend(shown: Sequence[str]) -> list[str]:
    parts, x, y = [], LEFT, HEIGHT - 12
    parts += [svg.line(x, y - 4, x + 22, y - 4, "offered"), svg.text("offered", x + 28, y)]
    x += 92
    for name in shown:
        parts += [svg.rect(x, y - 10, 12, 12, f"area c-{name}"), svg.text(LEGEND[name], x + 17, y)]
        x += 34 + 7 * len(LEGEND[name])
    return parts
