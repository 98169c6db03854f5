"""Clients of all regions of a lab, over the host's loopback, opened and closed together."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from stormlab import pki
from stormlab.client import Client
from stormlab.estate import Estate


@contextlib.asynccontextmanager
async def clients(estate: Estate, state: Path) -> AsyncIterator[dict[str, Client]]:
    """Administrators' clients by region. Raises FileNotFoundError before the lab has its PKI."""
    token = pki.token(state, "admin")
    async with contextlib.AsyncExitStack() as stack:
        opened = {}
        for region in estate.regions:
            client = Client(f"https://127.0.0.1:{region.api_port}", state / "pki" / "ca.crt", token)
            opened[region.name] = await stack.enter_async_context(client)
        yield opened
