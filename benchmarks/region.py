"""A region's API server with 5,000 pods, and the plain server beside it, each a process of its own."""

from __future__ import annotations

import contextlib
import copy
import io
import socket
import ssl
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stormlab import pki
from stormlab.api.bootstrap import bootstrap
from stormlab.api.kinds import NODE, POD
from stormlab.api.objects import Objects
from stormlab.api.store import Store
from stormlab.wait import until

PODS = 5000
HOST = "127.0.0.1"
_REGION, _SERVICES = "bench", "10.96.0.0/16"
# The nodes are silent, and shall be believed in for as long as this takes.
_SERVE = f"""
import asyncio, sys
from pathlib import Path
from stormlab.api.main import Settings, run
asyncio.run(run(Settings(Path(sys.argv[1]), "{_REGION}", int(sys.argv[2]), "{_SERVICES}", node_grace_s=3600)))
"""
_ENV = [{"name": f"SETTING_{number}", "value": f"value-{number}"} for number in range(8)]
_CONTAINER = {
    "name": "ledger", "image": "bank:dev", "env": _ENV, "ports": [{"name": "http", "containerPort": 8080}],
    "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1},
    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}},
}  # fmt: skip
_LABELS = {"app": "ledger", "app.kubernetes.io/part-of": "bank", "cell": "0"}


@dataclass(frozen=True)
class Region:
    """Where it listens, and how to ask."""

    port: int
    bulk: int
    """Of the plain server: the list's bytes over TLS."""
    relay: int
    """Of the plain server: lines to many."""
    token: str
    tls: ssl.SSLContext

    def connect(self, port: int, *, tls: bool = True) -> socket.socket:
        """A connection that is ready for its first request."""
        made = socket.create_connection((HOST, port), timeout=30)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(made, server_hostname=HOST) if tls else made

    def request(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        """A request as bytes."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {self.token}\r\n"
            f"Accept: application/json\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """Send a request and read its answer to the last byte; the body."""
    connection.sendall(request)
    head, body = b"", bytearray()
    while b"\r\n\r\n" not in head:
        head += connection.recv(65536)
    head, _, rest = head.partition(b"\r\n\r\n")
    length = int(
        next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")).split()[1]
    )
    body += rest
    while len(body) < length:
        body += connection.recv(1 << 18)
    return bytes(body)


@contextlib.contextmanager
def region() -> Iterator[Region]:
    """Both servers, up."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        state = Path(directory)
        pki.ensure(state, [_REGION])
        (state / "nodes").mkdir()
        with socket.create_server((HOST, 0)) as free:
            port = free.getsockname()[1]
        _fill(state, port)
        stack.enter_context(_process([sys.executable, "-c", _SERVE, str(state), str(port)]))
        trust = ssl.create_default_context(cafile=str(state / "pki" / "ca.crt"))
        found = Region(port, 0, 0, pki.token(state, "admin"), trust)
        until(lambda: _answers(found), "the API server", 30)
        with found.connect(port) as connection:
            body = exchange(connection, found.request("GET", "/api/v1/pods"))
        (state / "list.json").write_bytes(body)
        script = str(Path(__file__).with_name("plain_server.py"))
        files = [state / "list.json", state / "pki" / "api.crt", state / "pki" / "api.key"]
        plain = stack.enter_context(_process([sys.executable, script, *map(str, files)]))
        bulk, relay = map(int, (plain.stdout or io.BytesIO()).readline().split())
        yield Region(port, bulk, relay, found.token, trust)


@contextlib.contextmanager
def _process(argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def _answers(found: Region) -> bool:
    try:
        with found.connect(found.port) as connection:
            return exchange(connection, found.request("GET", "/readyz")) == b"ok"
    except OSError:
        return False


def _fill(state: Path, port: int) -> None:
    """Write the region's file: 5,000 Running pods of 1.7 KB on a node, as the API makes them of a manifest."""
    objects = Objects(Store(state / f"api-{_REGION}.db"))
    bootstrap(objects, service_network=_SERVICES, address=HOST, port=port)
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    objects.create(NODE, "", {"metadata": {"name": "node"}, "status": {"conditions": [ready]}})
    template = {
        "metadata": {"name": "pod", "labels": _LABELS},
        "spec": {"nodeName": "node", "containers": [_CONTAINER]},
    }
    tree = objects.create(POD, "default", template, dry_run=True).tree
    for number in range(PODS):
        made = copy.deepcopy(tree)
        made["metadata"] |= {"name": f"ledger-{number:04}", "uid": str(uuid.uuid4())}
        address = f"10.77.{number // 250}.{number % 250}"
        made["status"] = {
            "phase": "Running",
            "podIP": address,
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        objects.store.put(POD, made)
    objects.store.close()
