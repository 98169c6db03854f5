"""A region's API server with its controllers, in the running event loop, on a free port."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from stormlab.api.bootstrap import bootstrap
from stormlab.api.objects import Objects
from stormlab.api.server import ApiServer, listen
from stormlab.api.store import Store
from stormlab.api.web.users import ADMIN, NODE, User
from stormlab.controllers.loop import Loop
from stormlab.controllers.registry import controllers

TOKENS = {"admin-token": ADMIN, "node-token": NODE}


@dataclass
class Served:
    """What a test may reach of it: its address, and the objects for what a wire cannot do."""

    url: str
    objects: Objects
    kubelets: Path
    loop: Loop


@asynccontextmanager
async def serve(
    *, users: dict[str, User] | None = None, window: int = 4096, node_grace_s: float = 40.0
) -> AsyncIterator[Served]:
    with tempfile.TemporaryDirectory() as directory:
        objects = Objects(Store(None, window=window), authority_pem="scrubbed-pem")
        bootstrap(objects, service_network="10.96.0.0/16", address="10.77.0.1", port=6443)
        loop = Loop(objects, controllers(objects, node_grace_s=node_grace_s))
        server = ApiServer(objects, tokens={**TOKENS, **(users or {})}, kubelet_dir=Path(directory))
        socket = listen("127.0.0.1", 0)
        await loop.start()
        await server.start(sockets=[socket], tls=None)
        try:
            yield Served(f"http://127.0.0.1:{socket.getsockname()[1]}", objects, Path(directory), loop)
        finally:
            await server.stop()
            await loop.stop()
            objects.store.close()
