"""A lab of two zones for a benchmark: its network, or with a region's API and nodes too."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stormlab import cgroup, claimspace, pki, process, topologyfile
from stormlab.estate import Estate
from stormlab.inventory import Inventory
from stormlab.net.relay import SOCKET
from stormlab.net.setup import setup
from stormlab.teardown import teardown
from stormlab.wait import until

STATE = Path("/var/lib/stormlab-bench")
"""The same every time: what a killed run left there is taken down by the next."""
RTT_MS = 1.0
IMAGE = "bench:1"
_TOPOLOGY = f"""\
name: bench
regions: {{r: {{zones: [a, b]}}}}
links: {{within_region: {{rtt: {RTT_MS:g}ms}}}}
lab: {{network: 10.93.0.0/16, api_ports: {{r: 27999}}, images: {{"{IMAGE}": {{}}}}}}
"""


@contextlib.contextmanager
def network() -> Iterator[tuple[Estate, Inventory]]:
    """Two zones and the relay between them."""
    inventory = Inventory(STATE)
    teardown(inventory)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "topology.yaml")
        path.write_text(_TOPOLOGY)
        estate = topologyfile.load(path)
        topologyfile.keep(estate, STATE)
        try:
            cgroup.make_lab(inventory, estate.cgroup, [zone.name for zone in estate.zones])
            claimspace.make(STATE, inventory)
            setup(estate, inventory)
            _start(inventory, "relay")
            until((STATE / SOCKET).exists, "the relay", 10)
            yield estate, inventory
        finally:
            teardown(inventory)


@contextlib.contextmanager
def region() -> Iterator[Estate]:
    """The network, the region's API and a node in each zone; not yet said to be ready."""
    with network() as (estate, inventory):
        hosts = (*pki.DEFAULT_HOSTS, estate.outside.address)
        pki.ensure(STATE, [one.name for one in estate.regions], hosts=hosts)
        for one in estate.regions:
            _start(inventory, f"api-{one.name}", "--region", one.name)
        for zone in estate.zones:
            _start(inventory, f"node-{zone.name}", "--zone", zone.name)
        yield estate


def _start(inventory: Inventory, name: str, *arguments: str) -> None:
    role = name.split("-", maxsplit=1)[0]
    argv = [sys.executable, "-m", "stormlab", role, "--state", str(STATE), *arguments]
    process.start(inventory, name, argv, STATE / "logs" / f"{name}.log")
