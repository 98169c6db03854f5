"""The archive's port: `/metrics` for Prometheus, and `/livez`.

By the standard library: what the bank's services use for it would double this process's memory.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from http import HTTPStatus

from stormarchive.state import State


def serve(state: State, host: str, port: int) -> http.server.ThreadingHTTPServer:
    """Answer from now on, in threads of its own. Raises OSError."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer one request."""
            pages: dict[str, Callable[[], str]] = {"/metrics": state.exposition, "/livez": lambda: "ok\n"}
            page = pages.get(self.path)
            body = page().encode() if page else b"not here\n"
            self.send_response(HTTPStatus.OK if page else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: Prometheus asks every second."""

    server = http.server.ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
