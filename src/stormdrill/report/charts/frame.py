"""The frame that time charts share: axes with units, phases as bands, faults as lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stormdrill.measure.values import Measurements
from stormdrill.report.charts import svg

WIDTH, LEFT, RIGHT = 1060.0, 58.0, 14.0
BAND = 18.0  # height of the phase names above the plot


@dataclass(frozen=True)
class Frame:
    """A plot area and its scales. x is seconds from t0; y whatever `to_y` takes."""

    from_s: float
    to_s: float
    top: float
    bottom: float
    to_y: Callable[[float], float]

    def x(self, at_s: float) -> float:
        """Seconds from t0 to a coordinate."""
        share = (at_s - self.from_s) / max(self.to_s - self.from_s, 1e-9)
        return LEFT + share * (WIDTH - LEFT - RIGHT)


def steps(low: float, high: float, count: int) -> list[float]:
    """About `count` round values within [low, high]."""
    if high <= low:
        return [low]
    rough = (high - low) / max(count, 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough - 1e-12)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 9) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def time_axis(frame: Frame, unit: str) -> list[str]:
    """Seconds from t0 below the plot."""
    parts = [svg.line(LEFT, frame.bottom, WIDTH - RIGHT, frame.bottom, "axis")]
    for value in steps(frame.from_s, frame.to_s, 10):
        x = frame.x(value)
        parts.append(svg.line(x, frame.bottom, x, frame.bottom + 4, "axis"))
        parts.append(svg.text(f"{value:g}", x, frame.bottom + 16, class_="tick", anchor="middle"))
    parts.append(svg.text(unit, WIDTH - RIGHT, frame.bottom + 31, class_="unit", anchor="end"))
    return parts


def value_axis(frame: Frame, values: Sequence[float], unit: str) -> list[str]:
    """Grid lines with their values, and the unit above them."""
    parts = [svg.text(unit, 4, frame.top - BAND - 6, class_="unit")]
    for value in values:
        y = frame.to_y(value)
        parts.append(svg.line(LEFT, y, WIDTH - RIGHT, y, "grid"))
        parts.append(svg.text(f"{value:,g}", LEFT - 6, y + 4, class_="tick", anchor="end"))
    return parts


def phase_bands(frame: Frame, measured: Measurements) -> list[str]:
    """Phases as bands with their names; the named part of each is clipped to the plot."""
    parts = []
    zero_s = zero_of(measured)
    for number, phase in enumerate(measured.phases):
        start, end = max(phase.start_s - zero_s, frame.from_s), min(phase.end_s - zero_s, frame.to_s)
        if end <= start:
            continue
        x, width = frame.x(start), frame.x(end) - frame.x(start)
        top = frame.top - BAND
        hover = f"{phase.name}: {start:.1f} s to {end:.1f} s"
        parts.append(svg.rect(x, top, width, frame.bottom - top, f"phase phase-{number % 2}", hover))
        if width > 6.5 * len(phase.name):
            parts.append(svg.text(phase.name, x + width / 2, top + 13, class_="phase-name", anchor="middle"))
    return parts


def hurt_shade(frame: Frame, measured: Measurements, hurt_until_s: float | None) -> list[str]:
    """The time customers were hurt: a shade behind the data, and a bar above it that data cannot hide."""
    if not measured.faults or not hurt_until_s:
        return []
    x, end = frame.x(0.0), frame.x(min(hurt_until_s, frame.to_s))
    hover = f"hurt from t0 to {hurt_until_s:.1f} s"
    shade = svg.rect(x, frame.top - BAND, end - x, frame.bottom - frame.top + BAND, "hurt", hover)
    return [shade, svg.rect(x, frame.top - BAND, end - x, 4, "hurt-bar", hover)]


def fault_marks(frame: Frame, measured: Measurements) -> list[str]:
    """Each fault as a line with its name."""
    parts = []
    for number, fault in enumerate(measured.faults):
        x = frame.x(fault.t0_s)
        hover = f"{fault.name}: {', '.join(fault.targets) or 'no targets recorded'}"
        mark = svg.line(x, frame.top - BAND, x, frame.bottom, "fault")
        parts.append(svg.element("g", svg.title(hover), mark))
        if number == 0:
            parts.append(svg.text("t0 fault", x + 4, frame.top + 12, class_="fault-name"))
    return parts


def zero_of(measured: Measurements) -> float:
    """t0 on the measurements' axis of seconds from the start of the load; 0 without a fault."""
    return min((fault.at_s for fault in measured.faults), default=0.0)
