"""A whole region as `lab up` starts it, but in this process: TLS, tokens, kubeconfig, two fake kubelets."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stormlab import pki
from stormlab.api.main import Settings, serve
from stormlab.api.server import listen

from .kubelet import FakeKubelet

NODES = {"city1-a": "city1-a", "city1-b": "city1-b"}


@dataclass(frozen=True)
class Region:
    """A running region; `kubectl` runs the real program against it and returns what it printed."""

    state: Path
    port: int

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        cache = self.state / "kubectl-cache"
        argv = ["kubectl", "--kubeconfig", str(self.kubeconfig), "--cache-dir", str(cache), *arguments]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=20, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(arguments)}: {done.stderr}")
        return done.stdout + ("" if check else done.stderr)


def free_port() -> int:
    socket = listen("127.0.0.1", 0)
    port: int = socket.getsockname()[1]
    socket.close()
    return port


def prepare_state(directory: Path) -> Region:
    port = free_port()
    pki.ensure(directory, ["city1"])
    pki.write_kubeconfig(directory, {"city1": port})
    (directory / "nodes").mkdir()
    return Region(directory, port)


async def run_region(region: Region, stop: asyncio.Event, ready: Future[None]) -> None:
    settings = Settings(region.state, "city1", region.port, "10.96.0.0/16")
    trust = ssl.create_default_context(cafile=str(region.state / "pki" / "ca.crt"))
    token = pki.token(region.state, "node")
    listening = asyncio.Event()
    server = asyncio.create_task(serve(settings, stop, listening))
    await asyncio.wait({asyncio.ensure_future(listening.wait()), server}, return_when=asyncio.FIRST_COMPLETED)
    kubelets = [
        FakeKubelet(
            f"https://127.0.0.1:{region.port}", node, zone, region.state / "nodes", token=token, tls=trust
        )
        for node, zone in NODES.items()
    ]
    for kubelet in kubelets:
        await kubelet.__aenter__()
    ready.set_result(None)
    await stop.wait()
    for kubelet in kubelets:
        await kubelet.__aexit__()
    await server


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    made = prepare_state(tmp_path_factory.mktemp("region"))
    loop = asyncio.new_event_loop()
    stop, ready = asyncio.Event(), Future[None]()

    def main() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(run_region(made, stop, ready))
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    thread = threading.Thread(target=main, name="region")
    thread.start()
    ready.result(timeout=10)
    yield made
    loop.call_soon_threadsafe(stop.set)
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.fixture
def namespace(region: Region, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    from kubernetes import client

    name = request.node.name.replace("_", "-").replace("[", "-").strip("]-")[:60]
    client.CoreV1Api(api_client(region)).create_namespace({"metadata": {"name": name}})
    return name


def api_client(region: Region) -> Any:
    from kubernetes import config

    return config.new_client_from_config(str(region.kubeconfig), context="city1")


needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def eventually(condition: Callable[[], Any], what: str, timeout_s: float = 5.0) -> Any:
    from stormlab.wait import until

    return until(condition, what, timeout_s)
