"""`status` for a person: the same report as tables on a terminal, as plain columns elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

Report = dict[str, Any]
Table = tuple[str, Sequence[str], list[Sequence[object]]]


def show(report: Report) -> None:
    """Print the report to standard output."""
    if sys.stdout.isatty():
        _rich(report)
    else:
        for title, heads, rows in _tables(report):
            _plain(title, heads, rows)
    for trouble in report["troubles"]:
        print(f"! {trouble}")


def _tables(report: Report) -> Iterator[Table]:
    rows: list[Sequence[object]]
    rows = [
        (p["name"], "runs" if p["running"] else "DEAD", p["pid"], p["age_s"]) for p in report["processes"]
    ]
    yield f"lab {report['name']}", ("process", "state", "pid", "age s"), rows
    rows = [
        (z["zone"], z["region"], z["address"], z["node"], f"{z['pods_ready']}/{z['pods']}")
        for z in report["zones"]
    ]
    yield "zones", ("zone", "region", "address", "node", "pods ready"), rows
    rows = [
        (p["zone"] or "-", f"{p['namespace']}/{p['name']}", p["address"] or "-", p["state"], p["restarts"])
        for p in sorted(report["pods"], key=lambda p: (p["zone"] or "", p["name"]))
    ]
    yield "pods", ("zone", "pod", "address", "state", "restarts"), rows
    rows = [
        (d["scope"], d["name"], d["role"], d["state"], d["timeline"], d["lag_bytes"])
        for d in report["databases"]
    ]
    yield "databases", ("scope", "member", "role", "state", "timeline", "lag bytes"), rows
    rows = [
        (" - ".join(link["between"]), link["rtt_ms"] if link["up"] else "cut") for link in report["links"]
    ]
    yield f"links ({report['link_carrier'] or 'no carrier'})", ("between", "rtt ms"), rows
    yield "endpoints", ("name", "where"), list(report["endpoints"].items())


def _plain(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = [[head.upper() for head in heads], *[[_text(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in table) for i in range(len(heads))]
    print(f"# {title}")
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print()


def _text(cell: object) -> str:
    return "-" if cell is None else str(cell)


def _rich(report: Report) -> None:
    from rich.console import Console  # noqa: PLC0415  not for scripts
    from rich.table import Table as Grid  # noqa: PLC0415

    console = Console()
    for title, heads, rows in _tables(report):
        console.print(title, style="bold", highlight=False)
        grid = Grid(header_style="dim", box=None)
        for head in heads:
            grid.add_column(head)
        for row in rows:
            grid.add_row(*map(_text, row))
        console.print(grid)
        console.print()
