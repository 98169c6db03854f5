"""`recover`: end what a killed drill left on an estate, and say what that was."""

from __future__ import annotations

import argparse
import json

from stormdrill import topology as topology_file
from stormdrill.cli.output import complain, reader_may_leave
from stormdrill.cli.signals import stopping
from stormdrill.drill import remains as cleaning
from stormdrill.drill.remains import Remains
from stormdrill.drill.stop import Stop
from stormdrill.errors import ExitCode, InputError
from stormdrill.plan import with_contexts


def recover(arguments: argparse.Namespace) -> int:
    """Exit code 0 when nothing is left, 5 when something is, or could not be looked at."""
    if not arguments.topology.is_file():
        raise InputError.at(arguments.topology, 0, "no such file: say which estate with --topology")
    topology = with_contexts(topology_file.load(arguments.topology), dict(arguments.context))
    stop = Stop()
    with stopping(stop):
        say = complain if arguments.json else _say
        remains = cleaning.recover(
            topology, arguments.kubeconfig, arguments.runs, stop, say, come_back=arguments.come_back
        )
    code = ExitCode.NOT_REVERTED if remains.left else ExitCode.PASS
    with reader_may_leave():
        if arguments.json:
            print(json.dumps({"exit_code": int(code), "found": remains.found, "left": remains.left}))
        else:
            _show(remains)
    return code


def _say(text: object) -> None:
    with reader_may_leave():
        print(f"  {text}")


def _show(remains: Remains) -> None:
    for text in remains.found:
        print(f"found: {text}")
    for text in remains.left:
        print(f"LEFT: {text}")
    if not remains.found and not remains.left:
        print("nothing was left behind")
