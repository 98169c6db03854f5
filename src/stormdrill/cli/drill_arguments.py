"""The arguments of the commands that drill, and of the one that ends what a killed drill left."""

from __future__ import annotations

import argparse
from pathlib import Path

from stormdrill.cli.argument_types import context, duration, times
from stormdrill.cli.grammar import EXITS, Commands, add, lazy


def run(commands: Commands) -> None:
    """`stormdrill run`."""
    parser = add(commands, "run", lazy("drilling", "run"), "run drills and judge them", EXITS)
    parser.add_argument(
        "experiments", metavar="EXPERIMENT", nargs="+", type=Path, help="experiment files, run in turn"
    )
    _drill_options(parser)
    parser.add_argument("--attach", type=Path, help=argparse.SUPPRESS)


def gate(commands: Commands) -> None:
    """`stormdrill gate`."""
    parser = add(
        commands,
        "gate",
        lazy("drilling", "gate"),
        "run drills as a CI gate: time budget, JUnit and Markdown summary",
        EXITS,
    )
    parser.add_argument(
        "experiments",
        metavar="EXPERIMENT",
        nargs="*",
        type=Path,
        help="default: pod-kill, db-primary-loss, zone-partition, zone-outage and remote-failover of experiments/",
    )
    parser.add_argument(
        "--budget", type=duration, default=900.0, metavar="15m",
        help="a drill that would not end in time is not started and is inconclusive (default: 15m)",
    )  # fmt: skip
    parser.set_defaults(attach=None)
    parser.add_argument("--junit", type=Path, help="JUnit file (default: RUNS/gate-junit.xml)")
    parser.add_argument("--summary", type=Path, help="Markdown file (default: RUNS/gate-summary.md)")
    _drill_options(parser)


def recover(commands: Commands) -> None:
    """`stormdrill recover`."""
    parser = add(
        commands,
        "recover",
        lazy("recover", "recover"),
        "end what a killed drill left on an estate (faults, the drill lock), and say where a failover stands",
        "exit codes: 0 nothing is left, 2 bad input or a drill is running, 5 something is still there\n",
    )
    parser.add_argument(
        "--topology", type=Path, metavar="FILE", default=Path("topology/small.yaml"),
        help="the estate (topology/small.yaml)",
    )  # fmt: skip
    parser.add_argument(
        "--come-back", nargs="?", const="", metavar="CELL",
        help="rebuild the home of a database that was failed over (of all that were), and switch back to it",
    )  # fmt: skip
    _clusters(parser)
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (runs)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")


def _clusters(group: argparse._ActionsContainer) -> None:
    """How the estate's Kubernetes APIs are reached."""
    group.add_argument(
        "--context", action="append", default=[], metavar="C", type=context,
        help="kubeconfig context of the only region, or REGION=C (may be repeated)",
    )  # fmt: skip
    group.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="default: $KUBECONFIG, then ~/.kube/config"
    )


def _drill_options(parser: argparse.ArgumentParser) -> None:
    estate = parser.add_argument_group("the estate")
    estate.add_argument("--topology", type=Path, metavar="FILE", help="in place of the experiment's topology")
    _clusters(estate)
    estate.add_argument(
        "--lab", nargs="?", const="small", metavar="PRESET",
        help="drill in the lab of topology/PRESET.yaml (default small): up before, down after if it was not up",
    )  # fmt: skip
    load = parser.add_argument_group("load and times")
    load.add_argument(
        "--locustfile", type=Path, metavar="FILE", help="in place of the experiment's locustfile"
    )
    load.add_argument(
        "--profile", type=Path, metavar="FILE", help="in place of the experiment's traffic profile"
    )
    load.add_argument(
        "--scale", type=float, metavar="X", help="in place of the profile's scale, of sessions or of arrivals"
    )
    load.add_argument("--seed", type=int, metavar="N", help="of arrivals and of the choice of targets")
    load.add_argument(
        "--times", type=times, default={}, metavar="K=D,...",
        help="phase lengths, e.g. steady=5s,window=5s (also warmup, recover_limit, settle)",
    )  # fmt: skip
    output = parser.add_argument_group("output")
    output.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (runs)"
    )
    output.add_argument(
        "--json", action="store_true", help="print one JSON object at the end, nothing else on stdout"
    )
