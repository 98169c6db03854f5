"""The command line's grammar and help; each command names the function that runs it."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stormdrill.units import parse_duration_s

_EXITS = """\
exit codes: 0 pass, 1 fail, 2 bad input (nothing was injected), 3 inconclusive, 4 aborted, 5 not reverted
5 and 4 outrank the verdict; several drills exit with the gravest of theirs: 5, 1, 4, 2, 3, 0
"""
_EXAMPLES = """\
examples:
  stormdrill check                                   every content file of this directory
  stormdrill run experiments/pod-kill.yaml --lab     bring the lab up, drill, take it down
  stormdrill run pod-kill.yaml --topology mine.yaml --context prod-city1
  stormdrill gate --lab --budget 10m                 for CI: JUnit, a Markdown summary, an exit code
  stormdrill judge runs/20260101T120000Z-pod-kill    judge a stored run again

"""


if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments, with `command` set to the function to call. Exits 2 on a line that does not fit."""
    parser = argparse.ArgumentParser(
        prog="stormdrill",
        description="Disaster-recovery drills under load, judged against continuity targets.",
        epilog=_EXAMPLES + _EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _check(commands)
    _lab(commands)
    _run(commands)
    _gate(commands)
    _recover(commands)
    _stored(commands)
    _runbook(commands)
    _canary(commands)
    _agent(commands)
    return parser.parse_args(argv)


def _lazy(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    """The command's function, imported when it is called: help needs no Kubernetes client."""

    def command(arguments: argparse.Namespace) -> int:
        return int(getattr(importlib.import_module(f"stormdrill.cli.{module}"), function)(arguments))

    return command


def _add(
    commands: _Commands, name: str, command: Callable[[argparse.Namespace], int], text: str, epilog: str = ""
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=text, description=text, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(command=command)
    return parser


def _check(commands: _Commands) -> None:
    parser = _add(
        commands,
        "check",
        _lazy("checking", "check"),
        "check content files; print every problem with file and line",
    )
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        type=Path,
        help="files or directories (default: this directory's content)",
    )


def _lab(commands: _Commands) -> None:
    parser = _add(
        commands,
        "lab",
        _lazy("laboratory", "lab"),
        "datacenters on this machine to drill against (needs root)",
        "actions: up, down, status, kubeconfig, logs, link; further arguments go to the lab as they are\n",
    )
    parser.add_argument("action", choices=("up", "down", "status", "kubeconfig", "logs", "link"))
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="...", help="see `stormdrill lab ACTION --help`"
    )


def _run(commands: _Commands) -> None:
    parser = _add(commands, "run", _lazy("drilling", "run"), "run drills and judge them", _EXITS)
    parser.add_argument(
        "experiments", metavar="EXPERIMENT", nargs="+", type=Path, help="experiment files, run in turn"
    )
    _drill_options(parser)
    parser.add_argument("--attach", type=Path, help=argparse.SUPPRESS)


def _gate(commands: _Commands) -> None:
    parser = _add(
        commands,
        "gate",
        _lazy("drilling", "gate"),
        "run drills as a CI gate: time budget, JUnit and Markdown summary",
        _EXITS,
    )
    parser.add_argument(
        "experiments",
        metavar="EXPERIMENT",
        nargs="*",
        type=Path,
        help="default: experiments/pod-kill.yaml experiments/db-primary-loss.yaml",
    )
    parser.add_argument(
        "--budget", type=duration, default=600.0, metavar="10m",
        help="a drill that would not end in time is not started and is inconclusive (default: 10m)",
    )  # fmt: skip
    parser.set_defaults(attach=None)
    parser.add_argument("--junit", type=Path, help="JUnit file (default: RUNS/gate-junit.xml)")
    parser.add_argument("--summary", type=Path, help="Markdown file (default: RUNS/gate-summary.md)")
    _drill_options(parser)


def _recover(commands: _Commands) -> None:
    parser = _add(
        commands,
        "recover",
        _lazy("recover", "recover"),
        "end what a killed drill left on an estate (faults, the drill lock), and say where a failover stands",
        "exit codes: 0 nothing is left, 2 bad input or a drill is running, 5 something is still there\n",
    )
    parser.add_argument(
        "--topology", type=Path, metavar="FILE", default=Path("topology/small.yaml"),
        help="the estate (topology/small.yaml)",
    )  # fmt: skip
    parser.add_argument(
        "--come-back", nargs="?", const="", metavar="CELL",
        help="rebuild the home of a database that was failed over, and switch back to it",
    )  # fmt: skip
    parser.add_argument(
        "--context", action="append", default=[], metavar="C", type=context,
        help="kubeconfig context of the only region, or REGION=C (may be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="default: $KUBECONFIG, then ~/.kube/config"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (runs)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")


def _drill_options(parser: argparse.ArgumentParser) -> None:
    estate = parser.add_argument_group("the estate")
    estate.add_argument("--topology", type=Path, metavar="FILE", help="in place of the experiment's topology")
    estate.add_argument(
        "--context", action="append", default=[], metavar="C", type=context,
        help="kubeconfig context of the only region, or REGION=C (may be repeated)",
    )  # fmt: skip
    estate.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="default: $KUBECONFIG, then ~/.kube/config"
    )
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


def _stored(commands: _Commands) -> None:
    for name, text in (
        ("measure", "measure a stored run again"),
        ("judge", "measure and judge a stored run again; exits with its verdict"),
        ("report", "write a stored run's report again"),
    ):
        parser = _add(commands, name, _lazy("stored", name), text, _EXITS if name == "judge" else "")
        parser.add_argument("run", metavar="RUN", type=Path, help="a directory under runs/")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _canary(commands: _Commands) -> None:
    parser = _add(
        commands,
        "canary",
        _lazy("canary", "canary"),
        "watch the paths between zones from one of them, as metrics; runs in every zone of an estate",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--zone", metavar="ZONE", help="the zone it is in")
    where.add_argument("--node", metavar="NODE", help="the node it is on, whose label says the zone")
    parser.add_argument(
        "--peers", action="append", required=True, metavar="NAME,...",
        help="other canaries: names of DNS, addresses, or files with one a line; asked for every second",
    )  # fmt: skip
    parser.add_argument(
        "--database", action="append", default=[], metavar="[ZONE=]HOST:PORT,...",
        help="databases to reach, with the zone each is in",
    )  # fmt: skip
    parser.add_argument(
        "--control-plane", metavar="HOST:PORT", help="default: the Kubernetes API of the pod's environment"
    )
    parser.add_argument("--listen", default="0.0.0.0", metavar="ADDRESS", help="default: every address")
    parser.add_argument("--port", type=int, default=7400, help="TCP and UDP, the same of every canary (7400)")
    parser.add_argument("--metrics-port", type=int, default=7401, help="HTTP: /metrics and /healthz (7401)")


def _runbook(commands: _Commands) -> None:
    parser = _add(commands, "runbook", _lazy("runbook", "check"), "go through a written procedure, on record")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    checking = _add(
        actions, "check", _lazy("runbook", "check"), "print every problem of runbooks, with file and line"
    )
    checking.add_argument("files", metavar="FILE", nargs="+", type=Path)
    running = _add(
        actions, "run", _lazy("runbook", "run"), "go through a runbook at this terminal, or go on with one",
        "exit codes: 0 done as written, 1 a step failed, 2 bad input, 3 done with a step waived, 4 held or left\n",
    )  # fmt: skip
    running.add_argument("file", metavar="FILE", type=Path, help="e.g. runbooks/remote-failover.md")
    running.add_argument(
        "--auto", action="store_true",
        help="nobody is asked: decisions take their default and are not exercised",
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


def _agent(commands: _Commands) -> None:
    text = "apply and take away leased faults on this node (runs there, as root)"
    parser = _add(commands, "agent", _lazy("agent", "agent"), text)
    parser.add_argument("--node", required=True, metavar="NAME", help="this node, as Kubernetes calls it")
    for name, default, what in (
        ("--state", "/var/lib/stormdrill", "what must outlive the agent"),
        ("--cgroup", "/sys/fs/cgroup", "the node's control groups"),
    ):
        parser.add_argument(name, type=Path, default=Path(default), metavar="DIR", help=f"{what} ({default})")
    parser.add_argument(
        "--listen", default=":7402", metavar="ADDR:PORT", help="of /metrics and /healthz (:7402)"
    )
    parser.add_argument(
        "--spare", action="append", default=[], metavar="LABEL=VALUE",
        help="pods of our namespace that a site loss does not kill (may be repeated)",
    )  # fmt: skip
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: the pod's service account")
    parser.add_argument("--context", metavar="C", help="context of the kubeconfig (its current one)")


def duration(text: str) -> float:
    """An argparse type: a duration in seconds."""
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def context(text: str) -> tuple[str, str]:
    """An argparse type: `CONTEXT` or `REGION=CONTEXT`; the region is empty in the first form."""
    region, equals, name = text.partition("=")
    pair = (region, name) if equals else ("", text)
    if not pair[1] or (equals and not region):
        raise argparse.ArgumentTypeError(f"not CONTEXT or REGION=CONTEXT: {text!r}")
    return pair


_TIMES = ("warmup", "steady", "window", "recover_limit", "settle")


def times(text: str) -> dict[str, float]:
    """An argparse type: `steady=5s,window=5s` to `{"steady_s": 5.0, "window_s": 5.0}`."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name not in _TIMES:
            raise argparse.ArgumentTypeError(f"no phase length {name!r}; known: {', '.join(_TIMES)}")
        found[f"{name}_s"] = duration(value)
    return found
