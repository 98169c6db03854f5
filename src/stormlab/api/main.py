"""`python -m stormlab api`: one region's API server and controllers, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stormlab import accounts, topologyfile
from stormlab.api.bootstrap import bootstrap
from stormlab.api.objects import Objects
from stormlab.api.server import ApiServer, listen, tls_context, tokens_from
from stormlab.api.store import Store
from stormlab.controllers.loop import Loop
from stormlab.controllers.registry import controllers
from stormlab.controllersettings import DEFAULT_GRACE_S
from stormlab.errors import LabError
from stormlab.net import netns

EXIT_BAD_INPUT = 2
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a region's API needs to know; `outside` is a namespace and the address in it, if any."""

    state: Path
    region: str
    port: int
    service_network: str
    outside: tuple[str, str] | None = None
    node_grace_s: float = DEFAULT_GRACE_S


def settings_of(state: Path, region: str) -> Settings:
    """Read them from the topology kept in the state directory. Raises LabError."""
    estate = topologyfile.of_state(state)
    names = [item.name for item in estate.regions]
    if region not in names:
        raise LabError(f"region '{region}' is not in this lab: {', '.join(names)}")
    found = estate.region(region)
    outside = (estate.outside.netns, estate.outside.address)
    grace_s = estate.controllers.node_monitor_grace_period_s
    return Settings(state, region, found.api_port, str(found.service_network), outside, grace_s)


def _sockets(settings: Settings) -> list[socket.socket]:
    try:
        made = [listen(LOOPBACK, settings.port)]
        if settings.outside is not None:
            outside = netns.socket_in(settings.outside[0], (settings.outside[1], settings.port))
            outside.setblocking(False)
            made.append(outside)
    except OSError as error:
        raise LabError(f"cannot listen on port {settings.port}: {error.strerror}") from error
    return made


def _open_store(settings: Settings) -> Store:
    path = settings.state / f"api-{settings.region}.db"
    try:
        return Store(path)
    except (sqlite3.Error, ValueError) as error:
        raise LabError(f"{path}: {error}") from error


async def serve(settings: Settings, stop: asyncio.Event, listening: asyncio.Event | None = None) -> None:
    """Serve until `stop` is set; sets `listening` once it does. Raises LabError when it cannot start."""
    pki = settings.state / "pki"
    try:
        tokens, tls = tokens_from(pki), tls_context(pki)
        account_key = accounts.key(pki)
        authority = (pki / "ca.crt").read_text()
    except OSError as error:
        raise LabError(f"{error.filename}: {error.strerror}") from error
    sockets = _sockets(settings)
    store = _open_store(settings)
    objects = Objects(store, service_network=settings.service_network, authority_pem=authority)
    address = settings.outside[1] if settings.outside else LOOPBACK
    bootstrap(objects, service_network=settings.service_network, address=address, port=settings.port)
    loop = Loop(objects, controllers(objects, node_grace_s=settings.node_grace_s))
    server = ApiServer(
        objects,
        tokens=tokens,
        kubelet_dir=settings.state / "nodes",
        address=f"{address}:{settings.port}",
        account_key=account_key,
    )
    await loop.start()
    await server.start(sockets=sockets, tls=tls)
    if listening is not None:
        listening.set()
    try:
        await stop.wait()
    finally:
        await server.stop()
        await loop.stop()
        store.close()


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises LabError when it cannot start."""
    stop = asyncio.Event()
    running = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(number, stop.set)
    await serve(settings, stop)


def main(argv: Sequence[str]) -> int:
    """Run the server; returns 0 after SIGTERM, 2 for bad input, with one message."""
    parser = argparse.ArgumentParser(prog="stormlab api", description="One region's Kubernetes API.")
    parser.add_argument("--state", type=Path, required=True, help="state directory of the lab")
    parser.add_argument("--region", required=True, help="region of the topology kept there")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        asyncio.run(run(settings_of(arguments.state, arguments.region)))
    except LabError as error:
        print(f"stormlab api: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0
