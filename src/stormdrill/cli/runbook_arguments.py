"""The arguments of `stormdrill runbook`."""

from __future__ import annotations

from pathlib import Path

from stormdrill.cli.argument_types import choice
from stormdrill.cli.grammar import Commands, add, lazy


def runbook(commands: Commands) -> None:
    """`stormdrill runbook check` and `run`."""
    parser = add(commands, "runbook", lazy("runbook", "check"), "go through a written procedure, on record")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    checking = add(
        actions, "check", lazy("runbook", "check"), "print every problem of runbooks, with file and line"
    )
    checking.add_argument("files", metavar="FILE", nargs="+", type=Path)
    running = add(
        actions, "run", lazy("runbook", "run"), "go through a runbook at this terminal, or go on with one",
        "exit codes: 0 done as written, 1 a step failed, 2 bad input, 3 done with a step waived, 4 held or left\n",
    )  # fmt: skip
    running.add_argument("file", metavar="FILE", type=Path, help="e.g. runbooks/remote-failover.md")
    running.add_argument(
        "--auto", action="store_true",
        help="nobody is asked: decisions take their default and are not exercised",
    )  # fmt: skip
    running.add_argument(
        "--choose", type=choice, action="append", default=[], metavar="STEP=OPTION",
        help="with --auto: this in place of a decision's default (repeatable)",
    )  # fmt: skip
    running.add_argument("--actor", metavar="NAME", help="who is at the terminal (default: the user's name)")
    running.add_argument(
        "--run", type=Path, metavar="DIR",
        help="keep it there, or go on with what was begun there; also a drill's run (default: a new one in RUNS)",
    )  # fmt: skip
    running.add_argument("--runs", type=Path, default=Path("runs"), metavar="RUNS", help="(runs)")
    running.add_argument("--topology", type=Path, metavar="FILE", help="in place of the runbook's topology")
    running.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="default: $KUBECONFIG, then ~/.kube/config"
    )
