"""The commands for people and scripts: up, down, status, kubeconfig, logs, link, render, check."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from stormlab import linkshape, topologyfile
from stormlab.errors import BadInputError, LabError
from stormlab.estate import Estate, state_dir
from stormlab.linkshape import LinkShape

_TOPOLOGY = Path("topology/small.yaml")
_TIMEOUT_S = 120.0
_SHORTEST_WATCH_S, _LONGEST_WATCH_S = 0.2, 3600.0
_STATUS = (
    "the lab on one screen: zones, pods, links, databases, faults; exits with 1 when a part does not answer"
)
_LINK = "change the link between two sites, or show what it is like"


def run(argv: Sequence[str]) -> int:
    """Parse and run one command. argparse exits with 2 on arguments it does not know."""
    options = _parser().parse_args(argv)
    code: int = options.run(options)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stormdrill lab", description="Datacenters on one machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    which = argparse.ArgumentParser(add_help=False)
    which.add_argument("--topology", type=Path, help=f"topology file (default: {_TOPOLOGY})")
    which.add_argument("--name", help="name of the lab (default: the topology's)")
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print JSON for a script")

    up = commands.add_parser("up", parents=[which, as_json], help="make the lab, or what is missing of it")
    up.add_argument("--timeout", type=float, default=_TIMEOUT_S, help="seconds until it must be ready")
    up.add_argument("--maker", default="", metavar="ID", help="who brings it up, for `down --maker ID`")
    up.set_defaults(run=_up)
    down = commands.add_parser("down", parents=[which, as_json], help="remove everything the lab made")
    down.add_argument("--maker", metavar="ID", help="only if the `up` of this ID started it, not one before")
    down.set_defaults(run=_down)
    _status_options(
        commands.add_parser("status", parents=[which, as_json], help=_STATUS, description=_STATUS)
    )
    kubeconfig = commands.add_parser("kubeconfig", parents=[which], help="print the path of the kubeconfig")
    kubeconfig.set_defaults(run=_kubeconfig)
    logs = commands.add_parser("logs", parents=[which], help="log of a process of the lab or of a pod")
    logs.add_argument("of", metavar="PROCESS|[NAMESPACE/]POD[:CONTAINER]")
    logs.add_argument("-n", "--lines", type=int, default=50, help="lines to show (50)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it grows, until Ctrl-C")
    logs.set_defaults(run=_logs)
    _link_options(commands.add_parser("link", parents=[which, as_json], help=_LINK, description=_LINK))
    render = commands.add_parser("render", help="write out what follows from a compact topology file")
    render.add_argument("file", type=Path, metavar="TOPOLOGY")
    render.add_argument("directory", type=Path, metavar="DIRECTORY", help="a new one, or an empty one")
    render.set_defaults(run=_render)
    check = commands.add_parser("check", parents=[as_json], help="check the lab part of a topology file")
    check.add_argument("file", type=Path)
    check.add_argument(
        "--alone", action="store_true", help="the file by itself, not the manifests it leads to"
    )
    check.set_defaults(run=_check)
    return parser


def _status_options(status: argparse.ArgumentParser) -> None:
    status.add_argument("-a", "--all", action="store_true", help="every pod, process and endpoint, too")
    status.add_argument(
        "-w",
        "--watch",
        nargs="?",
        const=2.0,
        type=float,
        metavar="SECONDS",
        help="again and again until Ctrl-C, every 2 s unless said otherwise",
    )
    status.set_defaults(run=_status)


def _link_options(link: argparse.ArgumentParser) -> None:
    link.add_argument("between", nargs=2, metavar="SITE", help="a zone, or 'outside'")
    link.add_argument("--rtt", help="round-trip time, such as 500ms")
    link.add_argument("--jitter", help="a round trip is at most so much shorter or longer, such as 2ms")
    link.add_argument("--loss", help="share of the packets lost on each way, such as 0.1%%")
    link.add_argument("--bandwidth", help="of each way, such as 100Mbit/s, or 'unlimited'")
    link.add_argument("--declared", action="store_true", help="what the topology file says, and up")
    up = link.add_mutually_exclusive_group()
    up.add_argument(
        "--down",
        "--cut",
        dest="up",
        action="store_false",
        default=None,
        help="drop everything, also on its way",
    )
    up.add_argument("--up", "--mend", dest="up", action="store_true", default=None, help="undo --down")
    link.set_defaults(run=_link)


def _name(options: argparse.Namespace) -> str:
    """Name of the lab, without asking the topology file to be right: a lab must come down in any case."""
    if options.name is not None:
        return str(options.name)
    path: Path = options.topology or _TOPOLOGY
    try:
        name = yaml.safe_load(path.read_text(encoding="utf-8"))["name"]
    except OSError as error:
        if options.topology is None:
            return _TOPOLOGY.stem
        raise BadInputError([f"{path}: {error.strerror}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise BadInputError([f"{path}: no name of a lab in it; give --name"]) from error
    return str(name)


def _running(options: argparse.Namespace) -> tuple[Estate, Path]:
    """The estate as it was brought up, and its state directory."""
    name = _name(options)
    state = state_dir(name)
    if not state.exists():
        raise BadInputError([f"lab '{name}' is not up (nothing in {state})"])
    if not os.access(state, os.R_OK | os.X_OK):
        raise BadInputError([f"{state}: the lab belongs to root: ask as root (sudo)"])
    return topologyfile.of_state(state), state


def _up(options: argparse.Namespace) -> int:
    from stormlab import progress  # noqa: PLC0415
    from stormlab.up import up  # noqa: PLC0415

    estate = topologyfile.load(options.topology or _TOPOLOGY, options.name)
    shown = progress.for_stream()
    try:
        done = up(estate, shown, options.timeout, options.maker)
        shown.step("ready")
    finally:
        shown.close()
    endpoints = {entry.name: f"127.0.0.1:{entry.listen}" for entry in estate.forwards}
    if options.json:
        report = {"ok": True, "name": estate.name, "ready_s": round(done.seconds, 2), "started": done.started}
        report |= {"kubeconfig": str(done.state / "kubeconfig"), "topology": str(estate.source)}
        print(json.dumps(report | {"endpoints": endpoints}))
        return 0
    print(f"lab '{estate.name}' is ready ({done.seconds:.1f} s)")
    print(f"  export KUBECONFIG={done.state / 'kubeconfig'}")
    for name, where in endpoints.items():
        print(f"  {name:20} {where}")
    return 0


def _down(options: argparse.Namespace) -> int:
    from stormlab.down import down  # noqa: PLC0415

    name = _name(options)
    done = down(name, state_dir(name), lambda text: print(text, file=sys.stderr), options.maker)
    if options.json:
        report = {"ok": True, "name": name, "down_s": round(done.seconds, 2), "things": done.things}
        print(json.dumps(report | {"kept": done.kept}))
    elif done.kept:
        print(f"lab '{name}' was brought up by another one and stays")
    elif done.things:
        print(f"lab '{name}' is down ({done.seconds:.1f} s)")
    else:
        print(f"lab '{name}' was not up")
    return 0


def _status(options: argparse.Namespace) -> int:
    from stormlab import status  # noqa: PLC0415
    from stormlab.status.show import show, watch  # noqa: PLC0415

    if options.watch is not None and not _SHORTEST_WATCH_S <= options.watch <= _LONGEST_WATCH_S:
        raise BadInputError(
            [f"--watch {options.watch:g}: must be from {_SHORTEST_WATCH_S:g} to {_LONGEST_WATCH_S:g} seconds"]
        )
    estate, state = _running(options)
    how = {"as_json": options.json, "everything": options.all}
    if options.watch is None:
        return 1 if show(lambda: status.gather(estate, state), **how)["troubles"] else 0
    watch(lambda: status.gather(estate, state), options.watch, **how)
    return 0


def _kubeconfig(options: argparse.Namespace) -> int:
    path = _running(options)[1] / "kubeconfig"
    if not path.exists():
        raise LabError(f"{path} is not there yet: `up` has not come that far")
    print(path)
    return 0


def _logs(options: argparse.Namespace) -> int:
    from stormlab import logs  # noqa: PLC0415

    estate, state = _running(options)
    logs.show(estate, state, options.of, lines=options.lines, follow=options.follow)


def _link(options: argparse.Namespace) -> int:
    from stormlab.net import control, relay  # noqa: PLC0415

    texts = {key: getattr(options, key) for key in linkshape.KEYS if getattr(options, key) is not None}
    change: dict[str, Any] = linkshape.from_options(texts)
    estate, state = _running(options)
    pair = frozenset(options.between)
    if pair not in estate.links:
        sites = ", ".join(site.name for site in estate.sites)
        raise BadInputError([f"no link between {' and '.join(options.between)} (sites: {sites})"])
    if options.declared:
        change = {**estate.links[pair].to_json(), "up": True, **change}
    if options.up is not None:
        change["up"] = options.up
    now = control.link(state / relay.SOCKET, pair)
    try:
        LinkShape(0.0).changed(now).changed(change)
    except ValueError as error:
        raise BadInputError([f"{' - '.join(options.between)}: {error}"]) from error
    if change:
        control.ask(state / relay.SOCKET, {"set": {"between": options.between, **change}})
        now = control.link(state / relay.SOCKET, pair)
    if options.json:
        print(json.dumps({"ok": True, **now}))
    else:
        said = str(LinkShape(0.0).changed(now)) + ("" if now["up"] else " (down)")
        print(f"{options.between[0]} - {options.between[1]}: {said}")
    return 0


def _render(options: argparse.Namespace) -> int:
    from stormlab import render  # noqa: PLC0415

    for place in render.write(options.file, options.directory):
        print(place)
    return 0


def _check(options: argparse.Namespace) -> int:
    from stormlab import check  # noqa: PLC0415

    problems = check.problems(options.file, alone=options.alone)
    if problems:
        raise BadInputError(problems)
    notes = topologyfile.load(options.file).preset.notes
    if options.json:
        print(json.dumps({"ok": True, "problems": [], "notes": notes}))
        return 0
    print(f"{options.file}: the lab part is right")
    for note in notes:
        print(f"{options.file}: mind: {note}")
    return 0
