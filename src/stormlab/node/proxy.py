"""Keeping the node's packet rules equal to its service table."""

from __future__ import annotations

import asyncio

from stormlab.errors import LabError
from stormlab.net import translation
from stormlab.net.setup import WAN
from stormlab.node.context import NodeContext, log
from stormlab.node.services import ServiceTable
from stormlab.wait import pause

_GATHER_S = 0.01
_RETRY_S = 1.0


class Proxy:
    """Loads nft rules in the node's namespace, which this process lives in, when the table changes."""

    def __init__(self, node: NodeContext) -> None:
        self._node = node
        self._dirty = asyncio.Event()
        self._loaded = ""

    def touch(self) -> None:
        """The table may have changed."""
        self._dirty.set()

    async def run(self, table: ServiceTable) -> None:
        """Load the base rules, then follow the table for ever; begun again, it loads everything anew."""
        self._loaded = ""
        self._dirty.set()
        zone, region = self._node.zone, self._node.region
        await _load_until_taken(translation.base(region.service_network, zone.network, WAN))
        while True:
            await self._dirty.wait()
            await pause(_GATHER_S)  # a rollout is many events at once
            self._dirty.clear()
            if not table.complete:
                continue
            script = translation.rules(table.frontends(zone.name), zone.address, zone.network)
            if script != self._loaded:
                await _load_until_taken(script)
                self._loaded = script


async def _load_until_taken(script: str) -> None:
    while True:
        try:
            await _load(script)
        except LabError as error:
            log.error("%s", error)
            await pause(_RETRY_S)
        else:
            return


async def _load(script: str) -> None:
    pipe = asyncio.subprocess.PIPE
    nft = await asyncio.create_subprocess_exec("nft", "-f", "-", stdin=pipe, stdout=pipe, stderr=pipe)
    _, said = await nft.communicate(script.encode())
    if nft.returncode != 0:
        raise LabError(f"nft refused the service rules: {said.decode(errors='replace').strip()}")
