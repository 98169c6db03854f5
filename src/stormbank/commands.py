"""What can be done by hand with a batch process's settings: one entry for each command of the command line."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import importlib
from dataclasses import dataclass
from typing import Any, Final

from stormbank.settings.parse import argument, number


@dataclass(frozen=True)
class Command:
    """`module` has `command(settings, arguments)`, a coroutine that prints JSON and returns the exit code.

    Named and not imported, as the roles are. `codes` says what it exits with.
    """

    help: str
    description: str
    codes: str
    module: str

    def run(self, settings: Any, arguments: argparse.Namespace) -> int:
        """Do it; the exit code."""
        done: int = asyncio.run(importlib.import_module(self.module).command(settings, arguments))
        return done


BY_HAND: Final = {
    "day-end": Command(
        help="end a business day of a cell",
        description="The business date moves on, and every customer of the cell gets the interest of the day that "
        "ended, once, however often this is run and whoever is killed meanwhile. Prints the day-end as JSON.",
        codes="Exit 0: done. 1: that day cannot end now. 2: bad input. 3: not done in time; run it again.",
        module="stormbank.dayend.command",
    ),
    "reconcile": Command(
        help="compare a day's payments of a cell with the clearing party's books",
        description="Settles what the party has decided and the bank has not heard of, again and again until both "
        "books agree or the time is over. Prints the last comparison as JSON: what is left by key and amount.",
        codes="Exit 0: both books agree. 1: they do not. 2: bad input. 3: they could not be compared.",
        module="stormbank.clearing.command",
    ),
}


def add(commands: Any) -> None:
    """Tell a parser's `commands` (argparse's subparsers) about all of them."""
    for name, each in BY_HAND.items():
        told = commands.add_parser(name, help=each.help, description=each.description, epilog=each.codes)
        told.add_argument("--cell", help="default: the only one, or the first")
        told.add_argument(
            "--date",
            type=dt.date.fromisoformat,
            metavar="YYYY-MM-DD",
            required=True,
            help="the business date",
        )
        told.add_argument(
            "--timeout",
            type=argument(number(0, above=True)),
            default=60.0,
            metavar="SECONDS",
            help="default: 60",
        )
