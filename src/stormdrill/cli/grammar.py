"""How a command is declared: its name, its help and the function that runs it."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from stormdrill.cli.output import reader_may_leave

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 - has no public name
"""Where commands are added. A text, because only type checkers know it as a generic class."""

EXITS = """\
exit codes: 0 pass, 1 fail, 2 bad input (nothing was injected), 3 inconclusive, 4 aborted, 5 not reverted
5 and 4 outrank the verdict; several drills exit with the gravest of theirs: 5, 1, 4, 2, 3, 0
"""


class Parser(argparse.ArgumentParser):
    """Python's, with a help that nobody has to read to its end (before 3.11.4 a closed stdout was an error)."""

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print it, as far as somebody reads it."""
        with reader_may_leave():
            super().print_help(file)


def lazy(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    """The command's function, imported when it is called: help needs no Kubernetes client."""

    def command(arguments: argparse.Namespace) -> int:
        return int(getattr(importlib.import_module(f"stormdrill.cli.{module}"), function)(arguments))

    return command


def add(
    commands: Commands, name: str, command: Callable[[argparse.Namespace], int], text: str, epilog: str = ""
) -> Parser:
    """A command with its help, and the function that runs it."""
    parser = commands.add_parser(
        name, help=text, description=text, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(command=command)
    return parser
