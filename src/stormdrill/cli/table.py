"""The final table: one line a drill, and below it why something is not a pass."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stormdrill.cli.ending import Ending
from stormdrill.errors import ExitCode

_STYLE = {ExitCode.PASS: "green", ExitCode.INCONCLUSIVE: "yellow", ExitCode.ABORTED: "yellow"}
_COLUMNS = ("experiment", "verdict", "recovery time", "lost", "report")


def print_table(endings: Sequence[Ending]) -> None:
    """Print the table to stdout: framed and coloured on a terminal, plain text otherwise."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(_framed(endings))
    else:
        print("\n".join(_plain(endings)))
    for ending in endings:
        for line in ending.why:
            print(f"{ending.experiment}: {line}")


def _cells(ending: Ending) -> tuple[str, ...]:
    return (ending.experiment, ending.verdict, ending.recovery, ending.lost, ending.report)


def _framed(endings: Sequence[Ending]) -> Table:
    table = Table(*_COLUMNS)
    for ending in endings:
        style = _STYLE.get(ending.exit_code, "red")
        cells = [Text(cell, overflow="fold") for cell in _cells(ending)]
        cells[1].stylize(f"bold {style}")
        table.add_row(*cells)
    return table


def _plain(endings: Sequence[Ending]) -> list[str]:
    rows = [_COLUMNS, *(_cells(ending) for ending in endings)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
