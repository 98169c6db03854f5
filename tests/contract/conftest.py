"""The API under test: a region as `lab up` starts it, in this process, or whatever a kubeconfig leads to.

Ours has TLS, tokens, a kubeconfig, and two fake kubelets that run nothing. With `--kubeconfig` (`make contract
KUBECONFIG=FILE`, or the variable CONTRACT_KUBECONFIG) the same tests run against another cluster, each in a namespace
that it makes and deletes; those marked `own_server` need what only ours gives, and are skipped. docs/contract.md says
how to run them and what they need.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import secrets
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
from stormlab.api.bootstrap import bootstrap
from stormlab.api.main import Settings, serve
from stormlab.api.objects import Objects
from stormlab.api.server import listen
from stormlab.api.store import Store
from stormlab.wait import until

from .kubelet import LINES, FakeKubelet

NODES = {"city1-a": "city1-a", "city1-b": "city1-b"}
SERVICES = "10.96.0.0/16"
HEARTBEAT_S = 5.0
"""Nodes that nobody has heard of for 40 s get no pods, and the region may live longer than that."""
LABEL = "stormdrill.io/contract-run"
_COUNT = itertools.count(1)
# What pods run, where they really run: it says what the fake kubelets say, and ends when told to.
PROGRAM = [
    "sh",
    "-c",
    "; ".join(
        [*(f"echo '{line}'" for line in LINES), "trap 'exit 0' TERM", "while :; do sleep 1 & wait $!; done"]
    ),
]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contract", "the Kubernetes API under test (default: the lab's, started here)")
    group.addoption("--kubeconfig", metavar="FILE", help="run against this cluster [CONTRACT_KUBECONFIG]")
    group.addoption("--kube-context", metavar="NAME", help="default: the current one [CONTRACT_CONTEXT]")
    group.addoption(
        "--pod-image",
        metavar="IMAGE",
        help="has `sh`, and the cluster can start it; default: busybox:1.36 [CONTRACT_IMAGE]",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "own_server(why): needs what only the server of these tests gives")
    if option(config, "kube_context", "CONTEXT") and not option(config, "kubeconfig", "KUBECONFIG"):
        raise pytest.UsageError(
            "a context of which kubeconfig? CONTEXT (--kube-context) needs KUBECONFIG (--kubeconfig)"
        )
    config.addinivalue_line("markers", "cites(*sections): the documentation that it encodes, see cited.py")


def pytest_report_header(config: pytest.Config) -> str:
    given = option(config, "kubeconfig", "KUBECONFIG")
    context = option(config, "kube_context", "CONTEXT") or "its current context"
    api = f"API under test: {f'{given}, {context}' if given else 'a region of the lab, started here'}"
    return f"{api}\nkubectl: {client_said()}"


def client_said() -> str:
    """Which kubectl the tests run, the first on the PATH: version and where it is."""
    where = shutil.which("kubectl")
    if where is None:
        return "none on the PATH; the tests that run it are skipped"
    argv = [where, "version", "--client", "-o", "json"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
        version = json.loads(done.stdout)["clientVersion"]["gitVersion"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        return f"{where}, which does not say its version ({error})"
    return f"{version}, {where}"


def client_version() -> tuple[int, int]:
    """Major and minor of that kubectl; zeros when there is none, or it does not say."""
    found = re.match(r"v(\d+)\.(\d+)", client_said())
    return (int(found[1]), int(found[2])) if found else (0, 0)


def option(config: pytest.Config, name: str, variable: str) -> str:
    """An option, else its variable; nothing where this file was loaded too late to add options."""
    given: str | None = config.getoption(name, None)
    return given or os.environ.get(f"CONTRACT_{variable}", "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not option(config, "kubeconfig", "KUBECONFIG"):
        return
    for item in items:
        mark = item.get_closest_marker("own_server")
        if mark is not None:
            item.add_marker(pytest.mark.skip(reason=f"own server only: {mark.args[0]}"))


@dataclass(frozen=True)
class Region:
    """A running API; `kubectl` runs the real program against it and returns what it printed."""

    state: Path
    """For what the tests write; of our own region its state directory."""
    kubeconfig: Path
    context: str
    image: str = "bank:dev"
    patience_s: float = 30.0
    """What a controller and a kubelet need, a first pull of the image included."""
    port: int = 0
    """Of our own region."""

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        cache = self.state / "kubectl-cache"
        argv = ["kubectl", "--kubeconfig", str(self.kubeconfig), "--cache-dir", str(cache)]
        argv += ["--context", self.context] if self.context else []
        timeout_s = self.patience_s + 15
        done = subprocess.run(
            [*argv, *arguments], input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(arguments)}: {done.stderr}")
        return done.stdout + ("" if check else done.stderr)

    @property
    def timeout(self) -> str:
        """For kubectl."""
        return f"--timeout={self.patience_s:g}s"

    def eventually(self, condition: Callable[[], Any], what: str) -> Any:
        return until(condition, what, self.patience_s)


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
    return Region(directory, directory / "kubeconfig", "city1", port=port)


async def run_region(region: Region, stop: asyncio.Event, ready: Future[None]) -> None:
    settings = Settings(region.state, "city1", region.port, SERVICES)
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
    while not stop.is_set():
        for kubelet in kubelets:
            await kubelet.renew()
            await (
                kubelet.report()
            )  # it may have been silent for too long: the machine was busy with other things
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), HEARTBEAT_S)
    for kubelet in kubelets:
        await kubelet.__aexit__()
    await server


@pytest.fixture(scope="session")
def region(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    state = tmp_path_factory.mktemp("region")
    given = option(request.config, "kubeconfig", "KUBECONFIG")
    with contextlib.ExitStack() as stack:
        if given:
            context = option(request.config, "kube_context", "CONTEXT")
            image = option(request.config, "pod_image", "IMAGE") or "busybox:1.36"
            found = Region(state, Path(given).expanduser(), context, image, patience_s=120.0)
            _must_answer(found)
        else:
            found = stack.enter_context(own_region(state))
        yield found


def _must_answer(region: Region) -> None:
    from kubernetes import client
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config import ConfigException
    from urllib3.exceptions import HTTPError

    try:
        client.CoreV1Api(api_client(region)).read_namespace("kube-system", _request_timeout=10)
    except (ApiException, ConfigException, HTTPError, OSError) as error:
        where = f"{region.kubeconfig} {region.context}".rstrip()
        refused = isinstance(error, ApiException) and error.status in {401, 403}
        hint = "; these tests need the rights of an administrator" if refused else ""
        pytest.exit(f"{where}: {error}{hint}", returncode=2)


def _live_before(region: Region) -> None:
    """Let the region have been up once: of what was written then there is no history any more."""
    objects = Objects(Store(region.state / f"api-{region.context}.db"))
    bootstrap(objects, service_network=SERVICES, address="127.0.0.1", port=region.port)
    objects.store.close()


@contextlib.contextmanager
def own_region(state: Path) -> Iterator[Region]:
    made = prepare_state(state)
    _live_before(made)
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


@pytest.fixture(scope="session")
def run_id(region: Region) -> Iterator[str]:
    """What marks all namespaces of this run; at its end none of them is left."""
    from kubernetes import client

    name = secrets.token_hex(3)
    yield name
    core = client.CoreV1Api(api_client(region))
    selector = f"{LABEL}={name}"
    region.eventually(
        lambda: not core.list_namespace(label_selector=selector).items, "no namespace of ours is left"
    )


@pytest.fixture
def namespace(region: Region, run_id: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, with what controllers put into each."""
    from kubernetes import client
    from kubernetes.client.exceptions import ApiException

    core = client.CoreV1Api(api_client(region))
    words = re.sub("[^a-z0-9]+", "-", request.node.name.lower())
    # Numbered: names that are cut off may be alike, and a namespace takes its time to go.
    name = f"contract-{run_id}-{next(_COUNT)}-{words}"[:63].rstrip("-")
    core.create_namespace({"metadata": {"name": name, "labels": {LABEL: run_id}}})

    def furnished() -> bool:
        accounts = core.list_namespaced_service_account(name).items
        return bool(accounts and core.list_namespaced_config_map(name).items)

    try:
        region.eventually(furnished, "the namespace is furnished")
        yield name
    finally:
        try:
            core.delete_namespace(name)
        except ApiException as error:
            if error.status not in {404, 409}:  # gone, or on its way
                raise


def api_client(region: Region) -> Any:
    from kubernetes import config

    return config.new_client_from_config(str(region.kubeconfig), context=region.context or None)


def nodes_of(region: Region) -> set[str]:
    from kubernetes import client

    return {node.metadata.name for node in client.CoreV1Api(api_client(region)).list_node().items}


def skip_where_protobuf_is_sent(told: str) -> None:
    """Pass over what kubectl has sent as protobuf since 1.32, which the lab's API refuses (docs/contract.md)."""
    if client_version() >= (1, 32) and "the body of the request was in an unknown format" in told:
        pytest.skip("this kubectl sends protobuf here, as all have since 1.32")


needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
