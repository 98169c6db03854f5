"""`status` for a person and for scripts: once or again and again; on a terminal, in plain columns, or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from stormlab.status.sections import GAP, WIDTH, Report, Section, sections, summary
from stormlab.wait import every

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

Gather = Callable[[], Report]


def show(gather: Gather, *, as_json: bool, everything: bool) -> Report:
    """Print the report once."""
    report = gather()
    if as_json:
        print(json.dumps(report))
    elif sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415  not for scripts

        console = Console()
        console.print(_rich(report, everything=everything, width=console.width))
    else:
        _plain(report, everything=everything)
    return report


def watch(gather: Gather, period_s: float, *, as_json: bool, everything: bool) -> None:
    """Show it every so often, until Ctrl-C: drawn over on a terminal, one after the other elsewhere."""
    with suppress(KeyboardInterrupt):
        if as_json or not sys.stdout.isatty():
            for _ in every(period_s):
                show(gather, as_json=as_json, everything=everything)
                sys.stdout.flush()
        else:
            _redraw(gather, period_s, everything=everything)


def _redraw(gather: Gather, period_s: float, *, everything: bool) -> None:
    from rich.live import Live  # noqa: PLC0415  not for scripts

    with Live(screen=True, auto_refresh=False) as live:
        for _ in every(period_s):
            shown = _rich(gather(), everything=everything, width=live.console.width)
            live.update(shown, refresh=True)


def _plain(report: Report, *, everything: bool) -> None:
    print(f"# {summary(report)}")
    apart = True
    for section in sections(report, everything=everything):
        if section.rows or apart:
            print()
        apart = bool(section.rows)
        print(f"# {section.title}")
        for number, cells in enumerate(_columns(section)):
            line = "".join(cells).rstrip()
            print(line.upper() if number == 0 and section.heads else line)
    if report["troubles"]:
        print()
    for trouble in report["troubles"]:
        print(f"! {trouble}")


def _columns(section: Section) -> list[list[str]]:
    """Heads, if there are any, and rows, every cell but a row's last as wide as its column; empty without rows."""
    if not section.rows:
        return []
    table: list[Sequence[str]] = [*([section.heads] if section.heads else []), *section.rows]
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]) - 1)]
    return [
        [*(cell.ljust(width + GAP) for cell, width in zip(row, widths, strict=False)), row[-1]]
        for row in table
    ]


def _rich(report: Report, *, everything: bool, width: int = WIDTH) -> Group:
    """For a terminal: what Prometheus was asked is wrapped to it; other lines that are too long lose their end."""
    from rich.console import Group  # noqa: PLC0415

    shown = [_line([(summary(report), "bold")])]
    apart = True
    for section in sections(report, everything=everything, width=width):
        # A title that says it all stays close to another: a screen has few lines.
        shown += [_line([])] if section.rows or apart else []
        apart = bool(section.rows)
        shown.append(_line([(section.title, "bold" if section.rows else "")]))
        rows = _columns(section)
        heads = rows.pop(0) if rows and section.heads else []
        shown += [_line([(cell, "dim") for cell in heads])] if heads else []
        shown += [_line([(cell, _style(cell.rstrip())) for cell in row]) for row in rows]
    shown += [_line([])] if report["troubles"] else []
    shown += [_line([(f"! {trouble}", "red")]) for trouble in report["troubles"]]
    return Group(*shown)


def _line(pieces: Sequence[tuple[str, str]]) -> Text:
    from rich.text import Text  # noqa: PLC0415

    return Text.assemble(*pieces, no_wrap=True, overflow="ellipsis")


def _style(cell: str) -> str:
    """Red for what is broken, so that the eye finds it."""
    if cell in {"DEAD", "down", "no answer", "absent", "unknown"} or cell.startswith("NotReady"):
        return "red"
    return ""
