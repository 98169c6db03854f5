"""A stub bank as a process, and the generator started against it from a few lines of profile."""

import dataclasses
import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.forking import Nursery

from stormdrill import profile as profile_file
from stormdrill import store
from stormdrill.estate import Edge, Idempotency, Operation, OperationKind
from stormdrill.load.config import LoadConfig
from stormdrill.load.live import LoadSecond
from stormdrill.load.process import LoadProcess
from stormdrill.records import reader

HERE = Path(__file__).parent
LOCUSTFILE = HERE.parents[2] / "loadtests" / "locustfile.py"

OPERATIONS = tuple(
    Operation(name, tier, OperationKind(kind), 2.0, ())
    for name, tier, kind in [
        ("login", "A1", "read"),
        ("balance", "A2", "read"),
        ("transfer", "A1", "write"),
        ("payment", "A1", "write"),
        ("bills", "B", "read"),
        ("checkin", "C", "read"),
    ]
)
NUMBERS = {operation.name: index for index, operation in enumerate(OPERATIONS)}


class Stub:
    """The bank of one process; `stop` ends it, so that connections are refused."""

    def __init__(self, banks: Nursery) -> None:
        self._forked = banks.start()
        self.port = self._forked.port
        self.url = f"http://127.0.0.1:{self.port}"

    def behave(self, mode: str, for_s: float = 1e9) -> None:
        self._ask("POST", "/_behave", json.dumps({"mode": mode, "for_s": for_s}))

    def name(self, *edges: str, ttl_s: float = 1) -> None:
        """What the name that phones resolve (`/_name`) answers from now on."""
        self._ask("POST", "/_name", json.dumps({"ttl_s": ttl_s, "edges": edges}))

    def books(self) -> Any:
        return json.loads(self._ask("GET", "/_books"))

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body)
            return connection.getresponse().read()
        finally:
            connection.close()

    def stop(self) -> None:
        self._forked.stop()


@dataclasses.dataclass
class Started:
    """A generator and what it leaves behind."""

    load: LoadProcess
    config: LoadConfig
    lines: list[LoadSecond]

    def requests(self) -> Any:
        return reader.read_file(self.config.requests_file).data

    def witness(self) -> Any:
        return reader.read_file(self.config.witness_file).data

    def log(self) -> str:
        return self.config.log_file.read_text()


@pytest.fixture(scope="session")
def banks() -> Iterator[Nursery]:
    """Starts stub banks."""
    nursery = Nursery(HERE / "stub_bank.py")
    yield nursery
    nursery.close()


@pytest.fixture
def stub(banks: Nursery) -> Iterator[Stub]:
    bank = Stub(banks)
    yield bank
    bank.stop()


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., LoadConfig]:
    """A configuration from a profile's text (without its first lines) and edge URLs."""

    def make(text: str, urls: list[str], locustfile: Path = LOCUSTFILE, **changes: Any) -> LoadConfig:
        path = tmp_path / "profile.yaml"
        path.write_text(f"schema: stormdrill.profile/1\nname: test\n{text}")
        run = store.create(tmp_path / "runs", "test")
        edges = tuple(Edge(f"edge-{n}", url) for n, url in enumerate(urls))
        config = LoadConfig(
            run.id, run.path, locustfile, 7, profile_file.load(path), edges, OPERATIONS, ("cell0",),
            Idempotency("Idempotency-Key", "amount", "to"),
        )  # fmt: skip
        return dataclasses.replace(config, **changes)

    return make


@pytest.fixture
def start(configure: Callable[..., LoadConfig]) -> Iterator[Callable[..., Started]]:
    """Start a generator; it is killed at the end of the test if it still runs."""
    running: list[LoadProcess] = []

    def begin(text: str, urls: list[str], **changes: Any) -> Started:
        config = configure(text, urls, **changes)
        lines: list[LoadSecond] = []
        load = LoadProcess.launch(config, lines.append, ready_timeout_s=20)
        running.append(load)
        return Started(load, config, lines)

    yield begin
    for load in running:
        load.kill()
