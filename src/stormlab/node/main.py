"""Entry point of a node process: `node --state DIR --zone Z`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stormlab.client import Client
from stormlab.errors import LabError
from stormlab.estate import Estate, Zone
from stormlab.inventory import Inventory
from stormlab.net import netns
from stormlab.node import registration
from stormlab.node.context import AddressPool, Events, NodeContext
from stormlab.node.dns import DnsServer
from stormlab.node.http import NodeHttp
from stormlab.node.kubelet import Kubelet
from stormlab.node.logs import LogClock
from stormlab.node.proxy import Proxy
from stormlab.node.services import ServiceTable
from stormlab.node.upkeep import Part, kept
from stormlab.topologyfile import of_state


def main(argv: Sequence[str]) -> int:
    """Run the node of one zone until SIGTERM; its pods run on and are adopted by the next process."""
    parser = argparse.ArgumentParser(prog="stormlab node", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--zone", required=True)
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        estate = of_state(given.state)
        zone = _zone(estate, given.zone)
        # The whole process lives in its zone: what cuts the zone's network cuts the node off too.
        netns.join(zone.netns)
        asyncio.run(_serve(estate, zone, given.state))
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _zone(estate: Estate, name: str) -> Zone:
    zones = {zone.name: zone for zone in estate.zones}
    if name not in zones:
        raise LabError(f"no zone '{name}' (known: {', '.join(zones)})")
    return zones[name]


async def _serve(estate: Estate, zone: Zone, state: Path) -> None:
    region = estate.region_of(zone.name)
    token = (state / "pki" / "node.token").read_text(encoding="ascii").strip()
    async with Client(estate.api_url(region.name), state / "pki" / "ca.crt", token) as client:
        node = NodeContext(
            estate=estate,
            region=region,
            zone=zone,
            state=state,
            client=client,
            inventory=Inventory(state),
            addresses=AddressPool(zone.network),
            events=Events(client, zone.name),
        )
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await _until_stopped(stop, _parts(node))


def _parts(node: NodeContext) -> dict[str, Part]:
    kubelet, proxy = Kubelet(node), Proxy(node)
    clock = LogClock(kubelet.directories)
    table = ServiceTable(proxy.touch)
    return {
        "registration": partial(registration.run, node),
        "pods": kubelet.run,
        "configmaps": partial(kubelet.follow, "configmaps"),
        "secrets": partial(kubelet.follow, "secrets"),
        "service rules": partial(proxy.run, table),
        "services": partial(table.follow_services, node),
        "endpoints": partial(table.follow_slices, node),
        "DNS": DnsServer(node, table).run,
        "logs and exec": NodeHttp(node, kubelet, clock).run,
        "log times": clock.run,
    }


async def _until_stopped(stop: asyncio.Event, parts: Mapping[str, Part]) -> None:
    """Run the parts until told to stop."""
    tasks: list[asyncio.Task[Any]] = [
        asyncio.create_task(kept(name, part), name=name) for name, part in parts.items()
    ]
    await stop.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
