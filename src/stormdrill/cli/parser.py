"""The command line's grammar and help; each command names the function that runs it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from stormdrill.cli import drill_arguments, node_arguments, runbook_arguments
from stormdrill.cli.grammar import EXITS, Commands, Parser, add, lazy

_EXAMPLES = """\
examples:
  stormdrill check                                   every content file of this directory
  stormdrill run experiments/pod-kill.yaml --lab     bring the lab up, drill, take it down
  stormdrill run pod-kill.yaml --topology mine.yaml --context prod-city1
  stormdrill gate --lab --budget 15m                 for CI: JUnit, a Markdown summary, an exit code
  stormdrill judge runs/20260101T120000Z-pod-kill    judge a stored run again

"""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments, with `command` set to the function to call. Exits 2 on a line that does not fit."""
    parser = Parser(
        prog="stormdrill",
        description="Disaster-recovery drills under load, judged against continuity targets.",
        epilog=_EXAMPLES + EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _check(commands)
    _lab(commands)
    drill_arguments.run(commands)
    drill_arguments.gate(commands)
    drill_arguments.recover(commands)
    _stored(commands)
    runbook_arguments.runbook(commands)
    node_arguments.canary(commands)
    node_arguments.agent(commands)
    return parser.parse_args(argv)


def _check(commands: Commands) -> None:
    parser = add(
        commands,
        "check",
        lazy("checking", "check"),
        "check content files; print every problem with file and line",
    )
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        type=Path,
        help="files or directories (default: this directory's content)",
    )


_LAB_ACTIONS = ("up", "down", "status", "kubeconfig", "logs", "link", "render")


def _lab(commands: Commands) -> None:
    parser = add(
        commands,
        "lab",
        lazy("laboratory", "lab"),
        "datacenters on this machine to drill against (needs root)",
        "actions: up, down, status, kubeconfig, logs, link, render; further arguments go to the lab as they are\n",
    )
    parser.add_argument("action", choices=_LAB_ACTIONS)
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="...", help="see `stormdrill lab ACTION --help`"
    )


def _stored(commands: Commands) -> None:
    for name, text in (
        ("measure", "measure a stored run again"),
        ("judge", "measure and judge a stored run again; exits with its verdict"),
        ("report", "write a stored run's report again"),
    ):
        parser = add(commands, name, lazy("stored", name), text, EXITS if name == "judge" else "")
        parser.add_argument("run", metavar="RUN", type=Path, help="a directory under runs/")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
