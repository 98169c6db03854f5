"""The agent's two pages: `/metrics` for Prometheus and `/healthz` for the kubelet."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from stormdrill.agent.engine import Engine
from stormdrill.agent.watch import Contact
from stormdrill.errors import InputError
from stormdrill.faultspec import NodeState

_STUCK_S = 15.0
"""More than one nft may take before it is given up."""

Page = tuple[int, str]


def serve(address: tuple[str, int], engine: Engine, contact: Contact) -> ThreadingHTTPServer:
    """A server for the pages, not yet serving. InputError when the address cannot be had."""
    pages: dict[str, Callable[[], Page]] = {
        "/metrics": lambda: (200, _metrics(engine, contact)),
        "/healthz": lambda: _health(engine),
    }

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            status, text = page() if page else (404, "not found\n")
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads of a scrape."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def server_bind(self) -> None:
            TCPServer.server_bind(self)  # HTTPServer's asks for its own name: of whom, on a node that is cut?

    try:
        return Server(address, Handler)
    except (OSError, OverflowError) as error:
        raise InputError(f"cannot listen on {address[0]}:{address[1]}: {error}") from None


def _health(engine: Engine) -> Page:
    stuck_s = time.monotonic() - engine.turned_s
    return (200, "ok\n") if stuck_s < _STUCK_S else (503, f"nothing has been done for {stuck_s:.0f} s\n")


def _metrics(engine: Engine, contact: Contact) -> str:
    active = engine.active
    age_s = float("nan") if contact.at_s is None else time.monotonic() - contact.at_s
    lines = [
        "# HELP stormdrill_agent_faults Faults this node is under, by state.",
        "# TYPE stormdrill_agent_faults gauge",
        *(f'stormdrill_agent_faults{{state="{state}"}} {active.get(state, 0)}' for state in NodeState),
        "# HELP stormdrill_agent_api_contact_age_seconds Time since the API server last said anything.",
        "# TYPE stormdrill_agent_api_contact_age_seconds gauge",
        f"stormdrill_agent_api_contact_age_seconds {age_s:.3f}",
    ]
    return "\n".join(lines) + "\n"
