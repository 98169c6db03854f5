"""Peers at the wire: a server that answers as told, a real API server of the lab, a real Prometheus."""

import asyncio
import contextlib
import dataclasses
import http.server
import json
import socket
import subprocess
import threading
from pathlib import Path

import pytest
import requests
from aiohttp import web

from stormdrill import wait
from stormdrill.kube import Cluster
from stormlab import pki
from stormlab.api.bootstrap import bootstrap
from stormlab.api.objects import Objects
from stormlab.api.server import ApiServer, listen, tls_context, tokens_from
from stormlab.api.store import Store


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Peer:
    """A plain HTTP server: `answers` maps a path without its query to (status, body), or to a function.

    A PATCH is answered like a GET, and kept in `patched`.
    """

    def __init__(self) -> None:
        self.answers = {}
        self.asked = []
        self.patched = []
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                peer.asked.append((self.path, dict(self.headers)))
                answer = peer.answers.get(self.path.partition("?")[0], (404, "404 page not found"))
                status, body = answer(self.path) if callable(answer) else answer
                data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(data)

            def do_PATCH(self):
                said = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                peer.patched.append(json.loads(said))
                self.do_GET()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def peer():
    made = Peer()
    yield made
    made.close()


@pytest.fixture
def peers():
    """Several peers: a function that makes one more."""
    made = []

    def make() -> Peer:
        made.append(Peer())
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def silent():
    """An address that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@dataclasses.dataclass
class Api:
    """The lab's API server in this process: real store, real TLS, no controllers, one stub of a kubelet."""

    state: Path
    kubeconfig: Path
    port: int

    def cluster(self, timeout_s: float = 5.0) -> Cluster:
        return Cluster.connect(self.kubeconfig, "city1", timeout_s)


EXECUTED: list[asyncio.subprocess.Process] = []
"""What was started by exec, in order; the fixture kills what is left."""


async def _exec(request: web.Request) -> web.WebSocketResponse:
    """The kubelet's half of exec: runs the command on this machine, frames as v4.channel.k8s.io says.

    As a real one does, it closes a program's input when the client is gone, and lets it run on otherwise.
    """
    answer = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
    await answer.prepare(request)
    command = request.query.getall("command")
    if command == ["vanish"]:
        await answer.close()
        return answer
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    stdin = pipe if request.query.get("stdin") == "true" else null
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=stdin, stdout=pipe, stderr=pipe, start_new_session=True
        )
    except OSError as error:
        failure = {
            "status": "Failure",
            "reason": "InternalError",
            "code": 500,
            "message": f"exec failed: {error}",
        }
        await answer.send_bytes(b"\x03" + json.dumps(failure).encode())
        return answer
    EXECUTED.append(process)
    outputs = _carry(answer, 1, process.stdout), _carry(answer, 2, process.stderr)
    waiting = asyncio.ensure_future(asyncio.gather(process.wait(), *outputs))
    closed = asyncio.ensure_future(answer.receive())
    await asyncio.wait({waiting, closed}, return_when=asyncio.FIRST_COMPLETED)
    if waiting.done():
        closed.cancel()
        await answer.send_bytes(b"\x03" + json.dumps(_ended(process.returncode)).encode())
    else:
        if process.stdin is not None:
            process.stdin.close()
        await waiting
    return answer


async def _carry(answer: web.WebSocketResponse, channel: int, stream: asyncio.StreamReader) -> None:
    while data := await stream.read(4096):
        if not answer.closed:
            await answer.send_bytes(bytes([channel]) + data)


def _ended(code: int) -> dict:
    """The Status of the error channel, as a kubelet writes it."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    code = 128 - code if code < 0 else code
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


@pytest.fixture(scope="session")
def api(tmp_path_factory):
    state = tmp_path_factory.mktemp("api")
    pki.ensure(state, ["city1"])
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    kubeconfig = pki.write_kubeconfig(state, {"city1": port})
    sockets = state / "nodes"
    sockets.mkdir()
    started, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        objects = Objects(Store())
        bootstrap(objects, service_network="10.96.0.0/16", address="127.0.0.1", port=port)
        server = ApiServer(objects, tokens=tokens_from(state / "pki"), kubelet_dir=sockets)
        await server.start(sockets=[listener], tls=tls_context(state / "pki"))
        kubelet = web.Application()
        kubelet.router.add_get("/exec/{namespace}/{pod}/{container}", _exec)
        runner = web.AppRunner(kubelet)
        await runner.setup()
        await web.UnixSite(runner, str(sockets / "node-a.sock")).start()
        started.set()
        await ended.wait()
        await runner.cleanup()
        await server.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(30), "the API server did not start"
    yield Api(state, kubeconfig, port)
    for process in EXECUTED:
        if process.returncode is None:
            loop.call_soon_threadsafe(process.kill)
    loop.call_soon_threadsafe(ended.set)
    thread.join(10)
    loop.close()


@dataclasses.dataclass
class RealPrometheus:
    """Debian's Prometheus scraping one exporter whose text tests may change."""

    url: str
    exporter: Peer
    process: subprocess.Popen

    def ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=1).ok
        except requests.RequestException:
            return False


ALERTING = """
groups:
- name: x
  rules:
  - {record: twice, expr: 2 * load}
  - {alert: LoadHigh, expr: load > 1, labels: {severity: page}}
  - {alert: NotYet, expr: load > 1, for: 1h}
  - {alert: Broken, expr: load * on () load}
"""


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory):
    root = tmp_path_factory.mktemp("prometheus")
    exporter = Peer()
    exporter.answers["/metrics"] = (200, 'load{pod="a"} 1.5\nload{pod="b"} NaN\nceiling +Inf\n')
    target = exporter.url.removeprefix("http://")
    (root / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}\n"
        f"rule_files: [rules.yml]\n"
        f"scrape_configs: [{{job_name: x, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    (root / "rules.yml").write_text(ALERTING)
    port = free_port()
    argv = ["prometheus", f"--config.file={root}/prometheus.yml", f"--storage.tsdb.path={root}/data"]
    argv += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    running = RealPrometheus(f"http://127.0.0.1:{port}", exporter, process)
    try:
        wait.until(running.ready, deadline_s=30, what="Prometheus ready")
        yield running
    finally:
        process.terminate()
        process.wait(10)
        exporter.close()
