"""Start one bank process: `python -m stormbank gateway|ledger [--host H] [--port P]`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys

from stormbank import settings as settings_module
from stormbank.settings import SettingsError

PORTS = {"gateway": 8080, "ledger": 8090}


def main() -> int:
    """Run the role named on the command line; 2 for input that makes no bank process."""
    parser = argparse.ArgumentParser(prog="python -m stormbank", description="The reference mobile bank.")
    parser.add_argument("role", choices=sorted(PORTS))
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: all)")
    parser.add_argument("--port", type=int, help="default: gateway 8080, ledger 8090")
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        settings = settings_module.from_env(os.environ, arguments.role)
    except SettingsError as error:
        print(f"stormbank {arguments.role}: bad settings\n{error}", file=sys.stderr)
        return 2
    port = PORTS[arguments.role] if arguments.port is None else arguments.port
    try:
        asyncio.run(_role(arguments.role, settings, arguments.host, port))
    except OSError as error:
        print(f"stormbank {arguments.role}: no service on {arguments.host}:{port}: {error}", file=sys.stderr)
        return 2
    return 0


async def _role(role: str, settings: settings_module.Settings, host: str, port: int) -> None:
    # Imported by role: a gateway needs no database driver, and memory counts.
    if role == "gateway":
        from stormbank.gateway import run  # noqa: PLC0415
    else:
        from stormbank.ledger import run  # noqa: PLC0415
    await run(settings, host, port)


if __name__ == "__main__":
    sys.exit(main())
