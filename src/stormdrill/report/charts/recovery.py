"""Recovery by operation: one bar each, made of its parts, against its objective."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stormdrill.measure.values import Recovery
from stormdrill.report.charts import svg
from stormdrill.report.charts.frame import steps

WIDTH, LEFT, RIGHT, ROW = 1060.0, 130.0, 150.0, 30.0
PARTS = (
    "detect", "detect and decide", "decide", "fence", "detect and promote", "promote", "restart",
    "drop standby", "replace", "route",
    "warm up", "unexplained",
)  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """A recovery by its name, and the objective beside it in seconds; None when nothing is demanded."""

    name: str
    recovery: Recovery
    limit_s: float | None


def recovery_chart(bars: Sequence[Bar]) -> str:
    """The picture; empty without bars. A bar of an operation that never recovered ends open."""
    if not bars:
        return ""
    longest = max(_length(bar.recovery) for bar in bars)
    limits = [bar.limit_s for bar in bars if bar.limit_s is not None]
    near = [limit for limit in limits if limit <= max(4 * longest, min(limits, default=1.0))]
    to_s = max(longest, *near, 1.0) * 1.1
    bottom = 14 + ROW * len(bars)

    def x(at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at_s / to_s

    parts = []
    for value in steps(0, to_s, 8):
        parts.append(svg.line(x(value), 8, x(value), bottom, "grid"))
        parts.append(svg.text(f"{value:g}", x(value), bottom + 16, class_="tick", anchor="middle"))
    parts.append(svg.text("seconds from t0", WIDTH - RIGHT, bottom + 31, class_="unit", anchor="end"))
    for row, bar in enumerate(bars):
        parts += _bar(bar, 14 + ROW * row, x, to_s)
    used = {part.name for bar in bars for part in bar.recovery.parts}
    height = bottom + 58
    parts += _legend([name for name in PARTS if name in used], height - 8, limits=bool(limits))
    return svg.drawing(WIDTH, height, "Recovery time by operation, in parts", *parts)


def _length(entry: Recovery) -> float:
    return entry.value_s if entry.value_s is not None else entry.lower_bound_s


def _bar(bar: Bar, y: float, x: Callable[[float], float], to_s: float) -> list[str]:
    entry = bar.recovery
    name = bar.name
    parts = [svg.text(name, LEFT - 8, y + 15, anchor="end")]
    length = _length(entry)
    if entry.value_s is None:
        said = f"> {entry.lower_bound_s:.1f} s" if entry.requests else "nobody asked"
        parts.append(
            svg.rect(x(0), y + 3, x(length) - x(0), ROW - 12, "bar open", f"{name}: not recovered, {said}")
        )
    elif not entry.value_s:
        said = "not hurt"
        parts.append(svg.rect(x(0) - 1, y + 3, 3, ROW - 12, "bar none", f"{name}: not hurt"))
    else:
        said = f"{entry.value_s:.1f} s ± {entry.resolution_s:g}"
        for part in entry.parts:
            hover = f"{part.name}: {part.end_s - part.start_s:.2f} s ({part.how})"
            width = x(part.end_s) - x(part.start_s)
            parts.append(svg.rect(x(part.start_s), y + 3, width, ROW - 12, f"bar {_css(part.name)}", hover))
    parts.append(svg.text(said, x(length) + 8, y + 15, class_="value"))
    if bar.limit_s is not None and bar.limit_s <= to_s:
        mark = svg.line(x(bar.limit_s), y, x(bar.limit_s), y + ROW - 6, "limit")
        parts.append(svg.element("g", svg.title(f"objective {bar.limit_s:g} s"), mark))
    return parts


def _legend(names: Sequence[str], y: float, *, limits: bool) -> list[str]:
    parts, x = [], LEFT
    for name in names:
        parts += [svg.rect(x, y - 10, 12, 12, f"bar {_css(name)}"), svg.text(name, x + 17, y)]
        x += 38 + 7 * len(name)
    if limits:
        parts += [svg.line(x + 4, y - 11, x + 4, y + 3, "limit"), svg.text("objective", x + 14, y)]
    return parts


def _css(name: str) -> str:
    return "part-" + name.replace(" ", "-")
