"""The API server as an object: a store, its HTTP face, listening sockets. Runs in any event loop."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from stormlab.api.decoding import MAX_BODY_BYTES
from stormlab.api.objects import Objects
from stormlab.api.web import watching
from stormlab.api.web.dispatch import Dispatcher
from stormlab.api.web.holders import Holders
from stormlab.api.web.kubelet import Kubelets
from stormlab.api.web.users import ADMIN, NODE, User

_SHUTDOWN_S = 1.0


def tokens_from(pki_dir: Path) -> dict[str, User]:
    """Read the bearer tokens that `stormlab.pki` made."""
    return {
        (pki_dir / "admin.token").read_text().strip(): ADMIN,
        (pki_dir / "node.token").read_text().strip(): NODE,
    }


def tls_context(pki_dir: Path) -> ssl.SSLContext:
    """Return the server's TLS settings."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki_dir / "api.crt", pki_dir / "api.key")
    return context


class ApiServer:
    """Serves `objects` to holders of `tokens`; kubelets are reached by sockets in `kubelet_dir`.

    Tokens of service accounts are accepted when signed with `account_key`, none when it is empty.
    """

    def __init__(
        self,
        objects: Objects,
        *,
        tokens: Mapping[str, User],
        kubelet_dir: Path,
        address: str = "127.0.0.1",
        account_key: bytes = b"",
    ) -> None:
        kubelets = Kubelets(kubelet_dir)
        parts = {"log": kubelets.log, "exec": kubelets.exec}
        dispatcher = Dispatcher(objects, dict(tokens), Holders(objects, account_key).user, parts, address)
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app[watching.OPEN] = set()
        app.on_shutdown.append(watching.end_all)
        app.router.add_route("*", "/{path:.*}", dispatcher.handle)
        # Cancelling a handler whose client is gone ends its watch at once; writes never await midway.
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S
        )

    async def start(self, *, sockets: list[socket.socket], tls: ssl.SSLContext | None) -> None:
        """Start serving on listening sockets."""
        await self._runner.setup()
        for listener in sockets:
            await web.SockSite(self._runner, listener, ssl_context=tls, backlog=1024).start()

    async def stop(self) -> None:
        """Stop serving and close all connections."""
        await self._runner.cleanup()


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 picks a free one. Raises OSError when it is taken."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    made.listen(1024)
    made.setblocking(False)
    return made
