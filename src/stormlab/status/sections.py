"""The report as a person reads it: a line that sums up, and sections of rows. Pure text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stormlab import linkshape

Report = dict[str, Any]
Cells = Sequence[str]
WIDTH = 100
"""Columns of a screen, unless it is known to have another number."""
GAP = 2
"""Between two columns."""
_UNKNOWN = "?"
_NONE = "-"


@dataclass(frozen=True)
class Section:
    """Rows under one title; without rows the title says it all, without heads the rows do."""

    title: str
    heads: Cells
    rows: Sequence[Cells]


def summary(report: Report) -> str:
    """The lab in one line."""
    runs = [row for row in report["processes"] if row["running"]]
    dead = [row["name"] for row in report["processes"] if not row["running"]]
    said = [f"lab {report['name']}", f"{len(runs)} of {len(report['processes'])} processes run"]
    said += [f"DEAD: {', '.join(dead)}"] if dead else []
    return "  ".join([*said, str(report["at"])])


def sections(report: Report, *, everything: bool, width: int = WIDTH) -> Iterator[Section]:
    """What fits on one screen of `width` columns, or all there is."""
    yield _zones(report)
    yield from _pods(report, everything=everything)
    yield _links(report)
    yield _databases(report)
    yield from _rows(report, width)
    yield from _on_purpose(report)
    if report["notes"]:
        notes = [(line,) for note in report["notes"] for line in textwrap.wrap(note, width)]
        yield Section("mind, by the topology", (), notes)
    if everything:
        yield _processes(report)
        yield Section("endpoints", ("name", "where"), list(report["endpoints"].items()))


def _zones(report: Report) -> Section:
    rows = [
        (z["zone"], z["region"], z["address"], z["node"], f"{_text(z['pods_ready'])}/{_text(z['pods'])}")
        for z in report["zones"]
    ]
    return Section("zones", ("zone", "region", "address", "node", "pods ready"), rows)


def _pods(report: Report, *, everything: bool) -> Iterator[Section]:
    shown = [pod for pod in report["pods"] if everything or not (pod["ready"] or pod["state"] == "Succeeded")]
    rows = [_pod(pod) for pod in sorted(shown, key=lambda p: (p["zone"] or "", p["namespace"], p["name"]))]
    if rows:
        title = "pods" if everything else "pods in trouble"
        yield Section(title, ("zone", "pod", "address", "restarts", "state"), rows)


def _pod(pod: Report) -> Cells:
    name = f"{pod['namespace']}/{pod['name']}"
    return pod["zone"] or _NONE, name, pod["address"] or _NONE, str(pod["restarts"]), pod["state"]


def _links(report: Report) -> Section:
    if not report["links"]:
        return Section("links: nothing carries them", (), ())
    rows = [_link(link) for link in report["links"]]
    heads = ("between", "rtt ms", "measured", "jitter ms", "loss", "bandwidth", "notes")
    return Section(f"links, carried by the {report['link_carrier']}", heads, rows)


def _link(link: Report) -> Cells:
    rate = link["bandwidth_mbit_s"]
    return (
        " - ".join(link["between"]),
        f"{link['rtt_ms']:g}",
        _measured(link) if link["up"] else "down",
        f"{link['jitter_ms']:g}" if link["jitter_ms"] else _NONE,
        f"{link['loss'] * 100:.4g}%" if link["loss"] else _NONE,
        _NONE if rate is None else linkshape.rate_text(rate),
        ", ".join(_notes(link)),
    )


def _measured(link: Report) -> str:
    seen = link["measured"]
    if seen["rtt_ms"] is None:
        return "no answer" if seen["sent"] else _UNKNOWN
    value = f"{seen['rtt_ms']:.1f}" if seen["rtt_ms"] >= 10 else f"{seen['rtt_ms']:.2f}"
    return value if seen["answered"] == seen["sent"] else f"{value} ({seen['answered']}/{seen['sent']})"


def _notes(link: Report) -> Iterator[str]:
    declared = link["declared"]
    if declared is not None and {key: link[key] for key in declared} != declared:
        yield "not as in the file"
    for key in ("lost", "overflowed"):
        if link[key]:
            yield f"{link[key]} {key}"
    if link["queue_ms"]:
        yield f"{link['queue_ms']:g} ms queued"


def _databases(report: Report) -> Section:
    rows = [_member(d) for d in sorted(report["databases"], key=lambda d: (d["scope"], d["name"]))]
    if not rows:
        return Section("databases: none known", (), ())
    return Section("databases", ("scope", "member", "role", "state", "timeline", "lag bytes"), rows)


def _member(member: Report) -> Cells:
    figures = [_NONE if value is None else str(value) for value in (member["timeline"], member["lag_bytes"])]
    return member["scope"], member["name"], member["role"].replace("_", " "), member["state"], *figures


def _rows(report: Report, width: int) -> Iterator[Section]:
    room = width - GAP - max((len(row["name"]) for row in report["rows"]), default=0)
    rows = [
        (row["name"] if number == 0 else "", line)
        for row in report["rows"]
        for number, line in enumerate(_lines(_samples(row["samples"]), room))
    ]
    if rows:
        yield Section("asked of Prometheus", (), rows)


def _samples(samples: list[Report] | None) -> list[str]:
    if samples is None:
        return [_UNKNOWN]
    said = [" ".join(["/".join(s["labels"].values()), _number(s["value"])]).strip() for s in samples]
    return said or [_NONE]


def _lines(said: list[str], room: int) -> list[str]:
    """As many of them on each line as there is room for: none is cut, whatever the number of cells."""
    lines = said[:1]
    for one in said[1:]:
        longer = f"{lines[-1]}{' ' * GAP}{one}"
        lines[-1:] = [longer] if len(longer) <= room else [lines[-1], one]
    return lines


def _number(value: float | None) -> str:
    if value is None:
        return "NaN"
    if value == int(value):
        return str(int(value))
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _on_purpose(report: Report) -> Iterator[Section]:
    known = all(zone["node"] != "unknown" for zone in report["zones"])
    none = "none" if known else "none in the regions that answer"
    for title, heads, rows in (
        ("faults in force", _FAULT, [_fault(fault, report["at"]) for fault in report["faults"]]),
        ("fences", _FENCE, [_fence(fence, report["at"]) for fence in report["fences"]]),
    ):
        yield Section(title, heads, rows) if rows else Section(f"{title}: {none}", (), ())


def _fault(fault: Report, now: str) -> Cells:
    where = ", ".join(fault["where"]) or fault["region"]
    return fault["name"], fault["kind"] or _NONE, where, fault["state"], _ago(fault["since"], now)


def _fence(fence: Report, now: str) -> Cells:
    how, by = fence["how"] or _NONE, fence["by"] or _NONE
    return fence["site"], fence["state"], how, by, _ago(fence["since"], now)


_FAULT = ("fault", "kind", "where", "state", "since")
_FENCE = ("site", "state", "how", "by", "since")


def _ago(since: str | None, now: str) -> str:
    try:
        seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(str(since))).total_seconds()
    except (ValueError, TypeError):
        return _text(since)
    if seconds < 120:
        return f"{max(0, seconds):.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7200 else f"{seconds / 3600:.0f} h ago"


def _processes(report: Report) -> Section:
    rows = [
        (p["name"], "runs" if p["running"] else "DEAD", _text(p["pid"]), _text(p["age_s"]))
        for p in report["processes"]
    ]
    return Section("processes", ("process", "state", "pid", "age s"), rows)


def _text(value: object) -> str:
    return _UNKNOWN if value is None else str(value)
