"""Keep an archive, restore from it, or say what it holds: `python -m stormarchive keep|restore|show`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from stormarchive import checks, settings, web
from stormarchive.errors import RestoreError, SettingsError
from stormarchive.keeper import Keeper
from stormarchive.restore import Job, restore
from stormarchive.segments import lsn_text
from stormarchive.settings import Settings
from stormarchive.state import State
from stormarchive.store import Store
from stormarchive.target import Target, time_text


def main() -> int:
    """Do what the command line says; `restore --help` lists its exit codes. 2 for input that makes no sense."""
    arguments = _parser().parse_args()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        told = settings.read(os.environ)
        return int(arguments.act(told, arguments))
    except SettingsError as error:
        print(f"stormarchive {arguments.command}: bad settings\n{error}", file=sys.stderr)
        return 2


def _keep(told: Settings, arguments: argparse.Namespace) -> int:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    state = State()
    try:
        server = web.serve(state, arguments.host, arguments.port)
    except OSError as error:
        print(f"stormarchive keep: no port {arguments.port}: {error}", file=sys.stderr)
        return 2
    Keeper(told, state).run(ended)
    server.shutdown()
    return 0


def _restore(told: Settings, arguments: argparse.Namespace) -> int:
    job = Job(
        target=arguments.target,
        scratch=arguments.scratch,
        checks=checks.read(arguments.checks).expecting(dict(arguments.expect)),
        timeout_s=arguments.timeout,
        owner=arguments.role,
    )
    try:
        report = restore(told, job)
    except (RestoreError, OSError) as error:
        print(json.dumps({"ok": False, "target": job.target.text, "error": str(error)}, indent=2))
        return 3
    print(json.dumps(report, indent=2))
    return 0 if report["ok"] else 1


def _show(told: Settings, _: argparse.Namespace) -> int:
    store = Store(told.directory)
    bases = [
        {
            "name": each.name,
            "whole_at": time_text(each.ended_s),
            "lsn": lsn_text(each.end),
            "bytes": each.size,
        }
        | {"timeline": each.timeline, "stretch": each.stretch}
        for each in store.bases()
    ]
    reaches = {each.number: each.reach for each in store.stretches()}
    until = {number: time_text(reach.until_s) for number, reach in reaches.items() if reach is not None}
    print(json.dumps({"bases": bases, "stretches_reach": until}, indent=2))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stormarchive", description="The archive of a database cluster. Set by ARCHIVE_*."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="keep|restore|show")
    keep = commands.add_parser("keep", help="follow the primary; keep its log and base backups")
    keep.add_argument("--host", default="0.0.0.0", help="address of /metrics (default: all)")
    keep.add_argument("--port", type=int, default=8099, help="default: %(default)s")
    keep.set_defaults(act=_keep)
    back = commands.add_parser(
        "restore",
        help="restore into a scratch server, check it, and take it down again",
        description="Restore the newest base backup before the wished moment, recover to it, ask what the checks ask, "
        "print a report as JSON, and leave nothing.",
        epilog="Exit 0: restored, every invariant holds. 1: restored, and one does not. 2: bad input. 3: not restored.",
    )
    wish = back.add_mutually_exclusive_group()
    wish.add_argument("--to", dest="target", type=_argument(Target.parse_time), metavar="TIME",
                      help="with its offset from UTC, such as 2026-11-30T03:16:32Z")  # fmt: skip
    wish.add_argument("--lsn", dest="target", type=_argument(Target.parse_position), metavar="LSN",
                      help="a position in the log (default: the newest that there is)")  # fmt: skip
    back.add_argument(
        "--checks", type=Path, default=Path("/etc/archive/checks.json"), help="default: %(default)s"
    )
    back.add_argument("--expect", action="append", default=[], type=_figure, metavar="FIGURE=VALUE",
                      help="what a figure must be, as an invariant; may be repeated")  # fmt: skip
    back.add_argument("--scratch", type=Path, default=Path("/scratch/restore"), help="default: %(default)s")
    back.add_argument("--role", default="auditor", help="who asks the checks (default: %(default)s)")
    back.add_argument(
        "--timeout", type=float, default=600.0, metavar="SECONDS", help="of recovery; default: 600"
    )
    back.set_defaults(act=_restore, target=Target())
    show = commands.add_parser("show", help="what the archive holds, as JSON")
    show.set_defaults(act=_show)
    return parser


def _figure(text: str) -> tuple[str, str]:
    name, is_there, value = text.partition("=")
    if not (name and is_there and value):
        raise argparse.ArgumentTypeError(f"{text!r}: write FIGURE=VALUE, such as movements=1200")
    return name, value


def _argument(parse: Callable[[str], Target]) -> Callable[[str], Target]:
    """Make a reader of text one of arguments: argparse shows only its own error's reason."""

    def read(text: str) -> Target:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None

    return read


if __name__ == "__main__":
    sys.exit(main())
