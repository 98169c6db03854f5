"""The story over time: faults, alerts, numbered steps and canary flows, each on a track of its own, one clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stormdrill.measure.failover_values import Failover, Step
from stormdrill.measure.telling import who
from stormdrill.measure.trust_values import Stretch
from stormdrill.measure.values import Measurements
from stormdrill.report.charts import svg
from stormdrill.report.charts.frame import (
    RIGHT,
    WIDTH,
    Frame,
    fault_marks,
    phase_bands,
    time_axis,
    zero_of,
)

NAMES = 186.0  # width of the names at the left, inside the plot's own margin
LONGEST = 27  # letters of a name that fit there
TOP, ROW, LANE = 44.0, 22.0, 15.0
STEPS = TOP + 16.0  # the first row of numbers, below the word at t0
NUMBER = 15.0  # how far apart two numbers must be on one row
NUMBERED = frozenset(
    {
        "decision",
        "approval",
        "fence.closed",
        "promote.done",
        "route.changed",
        "route.serving",
        "rebuild.done",
        "fork.exported",
        "return.started",
        "redundancy.restored",
    }
)
MAX_LANES = 24


@dataclass(frozen=True)
class Lane:
    """One track of bars: stretches with what a pointer is told of each."""

    name: str
    spans: tuple[tuple[Stretch, str], ...]
    css: str


def numbered(steps: Sequence[Step]) -> dict[int, Step]:
    """The steps that carry a number in picture and table, from 1."""
    return dict(enumerate((step for step in steps if step.kind in NUMBERED), 1))


def tracks_chart(measured: Measurements) -> str:
    """The picture; empty without a failover or a cut network."""
    found = measured.failover
    lanes = [*_faults(measured), *_alerts(measured), *_flows(found)]
    marks = numbered(found.steps)
    if not lanes and not marks:
        return ""
    zero_s = zero_of(measured)
    end_s = max((phase.end_s - zero_s for phase in measured.phases if phase.name != "measure"), default=1.0)
    end_s = min(end_s, measured.judged_to_s + 5)
    rows = _rows(marks, -12.0, end_s)
    top = STEPS + ROW * (max(rows.values(), default=-1) + 1) + (8 if rows else 0)
    bottom = top + LANE * len(lanes) + 6
    frame = _Wide(-12.0, end_s, TOP, bottom, lambda value: value)
    parts = [*phase_bands(frame, measured), *fault_marks(frame, measured)]
    if rows:
        parts.append(svg.text("steps", NAMES - 8, STEPS + 15, class_="label", anchor="end"))
    for number, row in rows.items():
        parts += _number(frame, number, marks[number], STEPS + ROW * row + 11)
    for i, lane in enumerate(lanes):
        parts += _lane(frame, lane, top + LANE * i)
    parts += time_axis(frame, "seconds from t0")
    label = "What happened when: faults, alerts, steps and broken flows"
    return svg.drawing(WIDTH, bottom + 40, label, *parts)


@dataclass(frozen=True)
class _Wide(Frame):
    """A frame with room for the names of tracks."""

    def x(self, at_s: float) -> float:
        share = (at_s - self.from_s) / max(self.to_s - self.from_s, 1e-9)
        return NAMES + share * (WIDTH - NAMES - RIGHT)


def _rows(marks: dict[int, Step], from_s: float, to_s: float) -> dict[int, int]:
    """A row for each number, so that none stands on another."""
    wide = _Wide(from_s, to_s, 0, 0, lambda value: value)
    last: list[float] = []
    rows = {}
    for number, step in marks.items():
        x = wide.x(step.at_s)
        row = next((i for i, taken in enumerate(last) if x - taken >= NUMBER + 3), len(last))
        last[row : row + 1] = [x]
        rows[number] = row
    return rows


def _number(frame: Frame, number: int, step: Step, y: float) -> list[str]:
    x = frame.x(step.at_s)
    hover = svg.title(f"{step.at_s:.1f} s, {who(step.actor)}: {step.what}")
    css = "step-" + step.kind.split(".")[0]
    disc = svg.element("circle", cx=x, cy=y, r=9.0, class_=f"step {css}")
    stem = svg.line(x, y + 9, x, frame.bottom, "stem")
    return [
        stem,
        svg.element("g", hover, disc, svg.text(str(number), x, y + 4, class_="step-no", anchor="middle")),
    ]


def _lane(frame: Frame, lane: Lane, y: float) -> list[str]:
    parts = [svg.text(_short(lane.name), NAMES - 8, y + 11, class_="lane", anchor="end")]
    parts.append(svg.line(NAMES, y + LANE - 1, WIDTH - RIGHT, y + LANE - 1, "grid"))
    for span, hover in lane.spans:
        start_s, end_s = max(span.start_s, frame.from_s), min(span.end_s, frame.to_s)
        if end_s > start_s:
            width = max(frame.x(end_s) - frame.x(start_s), 2.0)
            parts.append(svg.rect(frame.x(start_s), y + 2, width, LANE - 5, f"bar {lane.css}", hover))
    return parts


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def _faults(measured: Measurements) -> list[Lane]:
    lanes = []
    for fault in measured.faults:
        end_s = fault.reverted_s if fault.reverted_s is not None else measured.judged_to_s
        span = Stretch(fault.t0_s, end_s)
        hover = f"{fault.name}: {', '.join(fault.targets)}, {fault.t0_s:.1f} s to {end_s:.1f} s"
        lanes.append(Lane(f"fault {fault.name}", ((span, hover),), "track-fault"))
    return lanes


def _alerts(measured: Measurements) -> list[Lane]:
    by_name: dict[str, list[tuple[Stretch, str]]] = {}
    for one in measured.failover.alarms.alerts:
        end_s = one.resolved_s if one.resolved_s is not None else measured.judged_to_s
        hover = f"{one.alert} ({one.labels}): fired {one.fired_s:.1f} s"
        by_name.setdefault(one.alert, []).append((Stretch(one.fired_s, end_s), hover))
    return [Lane(name, tuple(spans), "track-alert") for name, spans in by_name.items()]


def _flows(found: Failover) -> list[Lane]:
    """A lane for each two ends with a flow that was down; the paths of both ends lie over each other."""
    by_ends: dict[str, list[tuple[Stretch, str]]] = {}
    for pair in found.canaries.pairs:
        database = "db " if pair.path == "database" else ""
        name = f"{pair.zone} → {database}{pair.peer or pair.path}"
        for span in pair.down:
            hover = f"{pair.name}: down from {span.start_s:.1f} s to {span.end_s:.1f} s"
            by_ends.setdefault(name, []).append((span, hover))
    dark = {pair.zone: pair.dark for pair in found.canaries.pairs if pair.dark}
    blind = [
        Lane(
            f"no word of {zone}",
            tuple(
                (span, f"{zone}: its canary could not be asked from {span.start_s:.1f} s on")
                for span in spans
            ),
            "track-dark",
        )
        for zone, spans in dark.items()
    ]
    lanes = blind + [Lane(name, tuple(spans), "track-flow") for name, spans in by_ends.items()]
    rest = len(lanes) - MAX_LANES
    return [*lanes[:MAX_LANES], *([Lane(f"and {rest} more", (), "track-flow")] if rest > 0 else [])]
