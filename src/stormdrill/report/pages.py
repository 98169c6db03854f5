"""The HTML page and its short form in Markdown, from templates; everything that is not ours is escaped."""

from __future__ import annotations

import jinja2
from markupsafe import Markup

from stormdrill.measure.telling import who
from stormdrill.measure.values import Recovery
from stormdrill.report import words
from stormdrill.report.charts.demand import demand_chart
from stormdrill.report.charts.latency import latency_chart
from stormdrill.report.charts.recovery import Bar, recovery_chart
from stormdrill.report.charts.tracks import tracks_chart
from stormdrill.report.view import SHOWN, View
from stormdrill.verdict import Outcome


def html(view: View) -> str:
    """One self-contained page."""
    charts = {
        "demand": demand_chart(view.measured, view.hurt_until_s),
        "latency": latency_chart(view.measured, view.deadline_ms, view.hurt_until_s),
        "tracks": tracks_chart(view.measured),
        "sum": recovery_chart(_sum(view)),
        "recovery": recovery_chart([_bar(view, entry) for entry in view.recoveries]),
    }
    safe = {name: Markup(picture) for name, picture in charts.items()}  # noqa: S704 - svg.element escapes
    environment = _environment(escape=True)
    style = Markup(environment.get_template("report.css").render())  # noqa: S704 - our own file
    return environment.get_template("report.html.j2").render(view=view, charts=safe, style=style, shown=SHOWN)


def markdown(view: View) -> str:
    """The same facts, short, for a merge request or a terminal."""
    return _environment(escape=False).get_template("report.md.j2").render(view=view, shown=SHOWN)


def _sum(view: View) -> list[Bar]:
    """The one recovery that is told as a sum."""
    told = view.story.sum if view.story else None
    return [Bar(told.operation, told.recovery, None)] if told else []


def _bar(view: View, entry: Recovery) -> Bar:
    cells = len(view.plan.topology.cells)
    name = entry.operation if cells == 1 or entry.cell == "all" else f"{entry.operation} {entry.cell}"
    target = view.plan.targets.get(entry.operation)
    return Bar(name, entry, target.recovery_time_s if target else None)


def _environment(*, escape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stormdrill.report"),
        autoescape=escape,  # noqa: S701 - off for Markdown only, whose table cells have their own filter
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        measured=words.measured_text,
        percent=words.percent,
        seconds=words.seconds,
        money=words.money,
        duration=words.duration,
        outcome=lambda outcome: words.NAMES[Outcome(outcome)],
        sign=lambda outcome: words.SIGNS[Outcome(outcome)],
        who=who,
        utc=lambda text: text.replace("T", " ").replace("+00:00", " UTC"),
        limit=lambda text: text.replace("<=", "≤").replace(">=", "≥") or "–",  # noqa: RUF001
        cell=lambda text: str(text).replace("|", "\\|").replace("\n", " "),
    )
    return environment
