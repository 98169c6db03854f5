"""Start one bank process, or do something by hand: `python -m stormbank ROLE|COMMAND`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys

from stormbank.commands import BY_HAND
from stormbank.commands import add as commands_by_hand
from stormbank.roles import ROLES
from stormbank.settings.ledger import LedgerSettings
from stormbank.settings.parse import argument, number, zone
from stormbank.settings.reader import SettingsError


def main() -> int:
    """Do what the command line says. Exit 2 for input that makes no sense; a command says its own codes in its help."""
    arguments = _parser().parse_args()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    _trust_no_more_than_needed()
    try:
        # The map is changed in a ledger's pod, with its settings; the rest is done in a batch process's.
        whose = "batch" if arguments.command in BY_HAND else arguments.command
        role = ROLES["ledger" if arguments.command == "remap" else whose]
        settings = role.read(os.environ)
    except SettingsError as error:
        print(f"stormbank {arguments.command}: bad settings\n{error}", file=sys.stderr)
        return 2
    if arguments.command == "remap":
        return _remap(settings, arguments.home, arguments.timeout)
    if arguments.command in BY_HAND:
        return BY_HAND[arguments.command].run(settings, arguments)
    try:
        asyncio.run(role.run(settings, arguments.host, arguments.port))
    except OSError as error:
        where = f"{arguments.host}:{arguments.port}"
        print(f"stormbank {arguments.command}: no service on {where}: {error}", file=sys.stderr)
        return 2
    return 0


def _trust_no_more_than_needed() -> None:
    """Do without the certificates of all the world's authorities where nobody is asked over TLS.

    The HTTP client reads them when it is imported, and keeps 1.6 MB of them in every process of the bank.
    """
    if not any("https://" in value for value in os.environ.values()):
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            os.environ.setdefault(name, os.devnull)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stormbank", description="The reference mobile bank.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="ROLE|COMMAND")
    for name, role in ROLES.items():
        told = commands.add_parser(name, help=f"be a {name}", description=f"Be a {name}, set by BANK_*.")
        told.add_argument("--host", default="0.0.0.0", help="address to listen on (default: all)")
        told.add_argument("--port", type=int, default=role.port, help="default: %(default)s")
    remap = commands.add_parser(
        "remap",
        help="change the map of a cell",
        description="Give the cell that BANK_CELL names the next version of its map, in a ledger's pod and with its "
        "settings. Writes of an earlier epoch end here; the gateways follow within a second. Prints the new epoch as "
        "JSON.",
        epilog="Exit 0: done. 1: nothing was changed. 2: bad input. 3: unknown, ask a ledger's /cell.",
    )
    remap.add_argument("--home", required=True, type=argument(zone), metavar="ZONE", help="the cell's home")
    remap.add_argument(
        "--timeout", type=argument(number(0, above=True)), default=10.0, metavar="SECONDS", help="default: 10"
    )
    commands_by_hand(commands)
    return parser


def _remap(settings: LedgerSettings, home: str, timeout_s: float) -> int:
    if settings.zones and home not in settings.zones:
        known = ", ".join(settings.zones)
        print(f"stormbank remap: no zone '{home}' (BANK_ZONES has: {known})", file=sys.stderr)
        return 2
    from stormbank.remap import NotChangedError, UnknownError, remap  # noqa: PLC0415 - for one command only

    try:
        state = asyncio.run(remap(settings, home, timeout_s))
    except NotChangedError as error:
        print(f"stormbank remap: nothing was changed: {error}", file=sys.stderr)
        return 1
    except UnknownError as error:
        print(f"stormbank remap: it is unknown whether the map changed: {error}", file=sys.stderr)
        return 3
    print(json.dumps(state.fields()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
