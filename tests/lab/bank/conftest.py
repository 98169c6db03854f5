"""A real PostgreSQL and real bank processes on loopback, each started by the test that needs it."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.lab.bank.two_cells import cells as cells  # noqa: PLC0414 - a fixture of two test files, found here

from stormbank.operations import OPERATIONS, addresses_of
from stormbank.session import Sessions
from stormlab.process import ProcessId

BIN = Path("/usr/lib/postgresql/15/bin")
SECRET = "0123456789abcdef-lab"
IDENTITYS = addresses_of("identity")
FIRST_LOGIN = threading.Lock()  # phones that log in at the same time start one identity
# PostgreSQL refuses to be root; the data stays root's in the eyes of everybody else.
NOT_ROOT = ["unshare", "-U", "--map-user=65534", "--map-group=65534"] if os.geteuid() == 0 else []

pytestmark = pytest.mark.lab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.lab)


_PORTS = itertools.count(secrets.randbelow(1000))
_BLOCK = 10_000 + 1_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw") or 0) % 10_000


def free_port() -> int:
    """Return a port that no connection is given by chance: it must still be free when its server was killed."""
    while True:
        port = _BLOCK + next(_PORTS) % 1_000
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def eventually(check: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """Return the first true answer of `check`; fail when there is none in time."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > deadline_s:
            pytest.fail(f"not within {timeout_s} s: {what}")
        time.sleep(0.02)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes
    took_s: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Postgres:
    """One server with its own directory and port."""

    root: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.root / "data"

    def run(self, program: str, *arguments: str) -> None:
        command = [*NOT_ROOT, str(BIN / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def found(self) -> None:
        self.run("initdb", "-D", str(self.data), "-A", "trust", "-U", "bank", "--no-sync")

    def start(self) -> None:
        # -k '': no socket file, so two servers cannot meet; fsync costs time and proves nothing here.
        command = [*NOT_ROOT, str(BIN / "postgres"), "-D", str(self.data), "-p", str(self.port), "-k", ""]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB", "-c", "fsync=off"]
        command += ["-c", "wal_level=replica", "-c", "hot_standby=on"]

        def answers() -> bool:
            # After a crash a backend may be there for a moment that was born while it was killed: with it no new
            # postmaster begins.
            if self.process is None or self.process.poll() is not None:
                with (self.root / "log").open("ab") as log:
                    self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            return self.answers()

        eventually(answers, 20, f"PostgreSQL answers, see {self.root}/log")

    def answers(self) -> bool:
        try:
            self.query("SELECT 1", database="postgres")
        except psycopg.OperationalError:
            return False
        return True

    def query(self, sql: str, database: str = "bank") -> list[Any]:
        with self.connection(database) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def connection(self, database: str = "bank") -> psycopg.Connection:
        address = f"host=127.0.0.1 port={self.port} user=bank dbname={database} connect_timeout=2"
        return psycopg.connect(address, autocommit=True)

    def setting(self, name: str, value: str) -> None:
        self.query(f"ALTER SYSTEM SET {name} = '{value}'")
        self.query("SELECT pg_reload_conf()")
        eventually(lambda: self.query(f"SHOW {name}") == [(value,)], 5, f"{name} is {value!r}")

    def kill(self) -> None:
        """As a crash does it: the postmaster without a chance to say anything, and its backends with it.

        A backend left over would still commit what it is asked.
        """
        assert self.process is not None
        postmaster = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        # Inside the user namespace the process numbers are the host's: there is no PID namespace.
        backends = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        # Not by number: others on this machine start processes, too, and numbers come again.
        for process in [ProcessId.of(int(pid)) for pid in (postmaster, *backends)]:
            if process is not None:
                process.signal(signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Hold it still with all its backends: it answers nothing, and closes nothing."""
        postmaster = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        backends = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        held = [each for each in map(ProcessId.of, (postmaster, *map(int, backends))) if each is not None]
        try:
            for process in held:
                process.signal(signal.SIGSTOP)
            yield
        finally:
            for process in held:
                process.signal(signal.SIGCONT)

    def promote(self) -> None:
        self.run("pg_ctl", "promote", "-D", str(self.data), "-w")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(10)


@dataclass
class Process:
    """One bank process on a port of its own."""

    role: str
    env: dict[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    child: subprocess.Popen[bytes] | None = None
    # Whoever does its logins, started when the first one comes: many tests need none.
    identity: Process | None = None

    def start(self) -> Process:
        if self.child is None or self.child.poll() is not None:
            self.launch()
        eventually(self.ready, 15, f"{self.role} is ready, see {self.log}")
        return self

    def launch(self) -> None:
        """Start it and wait for nothing."""
        command = [sys.executable, "-m", "stormbank", self.role, "--host", "127.0.0.1"]
        env = {"PATH": os.environ["PATH"], "BANK_TOKEN_SECRET": SECRET, "BANK_DRAIN_S": "0.3", **self.env}
        with self.log.open("ab") as log:
            self.child = subprocess.Popen([*command, "--port", str(self.port)], env=env, stderr=log)

    def ready(self) -> bool:
        return self.reaches("/readyz")

    def reaches(self, path: str) -> bool:
        """Whether it says yes there."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.call("GET", path).status == 200
        return False

    def stop(self) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait(10)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold the process still; what comes for it waits in its sockets."""
        assert self.child is not None
        stat = Path(f"/proc/{self.child.pid}/stat")
        self.child.send_signal(signal.SIGSTOP)
        try:
            eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", 5, "it is stopped")
            yield
        finally:
            self.child.send_signal(signal.SIGCONT)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        key: str | None = None,
        deadline_ms: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        if self.identity is not None and (method, path) in IDENTITYS:
            with FIRST_LOGIN:
                if self.identity.child is None:
                    self.identity.start()
        headers = {"Content-Type": "application/json", **(headers or {})}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        if deadline_ms is not None:
            headers["X-Deadline-Ms"] = str(deadline_ms)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            started_s = time.monotonic()
            raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
            connection.request(method, path, body=raw, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            return Reply(answer.status, dict(answer.headers), text, time.monotonic() - started_s)

    def login(self, customer: int = 1) -> str:
        fields = {"customer": customer, "device": f"device-{customer}", "password": f"pw-{customer}"}
        reply = self.call("POST", "/v1/login", fields)
        assert reply.status == 200, reply.body
        return str(reply.json["token"])

    def pay(self, token: str, key: str | None = None, *, amount: int = 5, deadline_ms: int = 3000) -> Reply:
        body = {"payee": "water", "amount": amount}
        return self.call(
            "POST", "/v1/payments", body, token=token, key=key or str(uuid.uuid4()), deadline_ms=deadline_ms
        )

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's series that carry `labels`."""
        total = 0.0
        for line in self.call("GET", "/metrics").body.decode().splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(f'{k}="{v}"' in series for k, v in labels.items()):
                total += float(value)
        return total


@dataclass
class Party(Process):
    """An external party, with the address by which it is put into trouble."""

    admin: int = 0

    def trouble(self, **fields: Any) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=10)
        with contextlib.closing(connection):
            connection.request("PUT", "/admin/trouble", body=json.dumps(fields).encode())
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.headers), answer.read(), 0.0)

    def messages(self, customer: int) -> list[str]:
        """Return the texts that a phone of `customer` finds."""
        found = self.call("GET", f"/messages?customer={customer}").json["messages"]
        return [each["text"] for each in found]


@dataclass
class Bank:
    """Starts processes against one database and ends them with the test."""

    postgres: Postgres
    root: Path
    started: list[Process] = field(default_factory=list)
    secret: str = SECRET
    launched: list[Process] | None = None

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Start all that the body starts at the same time; it is ready at the end."""
        self.launched = []
        yield
        launched, self.launched = self.launched, None
        for each in launched:
            each.start()

    def dsn(self, *others: Postgres, database: str = "bank") -> str:
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in (self.postgres, *others))
        return f"postgresql://bank@{hosts}/{database}?target_session_attrs=read-write"

    def ledger(self, dsn: str | None = None, *, port: int | None = None, **env: str) -> Process:
        env = {"BANK_DB_DSN": dsn or self.dsn(), "BANK_CUSTOMERS": "200", "BANK_SERVICE_MS": fast(), **env}
        started = self._start("ledger", env, port)
        if self.launched is None and env["BANK_DB_DSN"] == self.dsn() and self.postgres.answers():
            # A ledger that does not get at its database for long is ready without: the tables may come late.
            made = "SELECT to_regclass('bank_schema') IS NOT NULL"
            eventually(lambda: self.postgres.query(made) == [(True,)], 20, f"tables, see {started.log}")
        return started

    def gateway(self, *ledgers: Process, services: Sequence[Process] = (), **env: str) -> Process:
        """Start a gateway; unless `env` says who else, an identity does its logins as soon as there are any."""
        # Step-ups are asked for by the tests of step-ups.
        env = {"BANK_LEDGERS": f"cell0={urls(*ledgers)}", "BANK_STEP_UP_ABOVE": "off", **env}
        if "BANK_SERVICES" in env:
            return self._start("gateway", env)
        identity = self._process("identity", {"BANK_SERVICE_MS": fast(), **env})
        named = [("identity", identity), *((each.role, each) for each in services)]
        named_at = ",".join(f"{role}={urls(each)}" for role, each in named)
        gateway = self._process("gateway", {**env, "BANK_SERVICES": named_at})
        gateway.identity = identity
        return self._begin(gateway)

    def identity(self, *ledgers: Process, **env: str) -> Process:
        return self._start(
            "identity", {"BANK_LEDGERS": f"cell0={urls(*ledgers)}", "BANK_SERVICE_MS": fast(), **env}
        )

    def service(self, role: str, *ledgers: Process, **env: str) -> Process:
        """Start a service; only those that have something booked or kept need ledgers."""
        asked = {"BANK_LEDGERS": f"cell0={urls(*ledgers)}"} if ledgers else {}
        return self._start(role, {"BANK_SERVICE_MS": fast(), **asked, **env})

    def word(self, customer: int) -> dict[str, str]:
        """Return the header by which a service of the bank speaks for `customer`."""
        return {"Bank-Customer": Sessions(SECRET, 60).issue_for_service(customer)}

    def sms(self, **env: str) -> Party:
        return self._party("sms", env)

    def face(self, **env: str) -> Party:
        return self._party("face", env)

    def clearing(self, **env: str) -> Party:
        return self._party("clearing", env)

    def _party(self, role: str, env: dict[str, str]) -> Party:
        admin = free_port()
        env = {f"BANK_{role.upper()}_ADMIN": f"127.0.0.1:{admin}", **env}
        party = Party(role, env, self.root / f"{role}-{len(self.started)}.log", admin=admin)
        self.started.append(party)
        self._begin(party)
        return party

    def remap(self, home: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Change the map as an operator does."""
        argv = [sys.executable, "-m", "stormbank", "remap", "--home", home, *options]
        env = {"PATH": os.environ["PATH"], "BANK_TOKEN_SECRET": SECRET, "BANK_DB_DSN": self.dsn(), **env}
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, check=False)

    def _start(self, role: str, env: dict[str, str], port: int | None = None) -> Process:
        return self._begin(self._process(role, env, port))

    def _begin(self, process: Process) -> Process:
        process.launch()
        if self.launched is None:
            return process.start()
        self.launched.append(process)
        return process

    def _process(self, role: str, env: dict[str, str], port: int | None = None) -> Process:
        log = self.root / f"{role}-{len(self.started)}.log"
        process = Process(role, env, log, *(() if port is None else (port,)))
        self.started.append(process)
        return process


def urls(*ledgers: Process) -> str:
    return "|".join(f"http://127.0.0.1:{each.port}" for each in ledgers)


def fast(**changed_ms: float) -> str:
    """Service times that hardly take any, but for the ones named."""
    every = dict.fromkeys((each.name for each in OPERATIONS), 1.0)
    return ",".join(f"{name}={value:g}" for name, value in (every | changed_ms).items())


def at_once(calls: list[Callable[[], Reply]]) -> list[Reply]:
    """Make all calls at the same time."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def books_agree(postgres: Postgres, database: str = "bank") -> None:
    """Fail unless every movement has its two entries and every balance follows from them."""
    assert postgres.query("SELECT sum(amount) FROM entry", database)[0][0] in (0, None)
    odd = """SELECT a.id FROM account a LEFT JOIN entry e ON e.account = a.id
             GROUP BY a.id HAVING a.balance <> a.opening + coalesce(sum(e.amount), 0)"""
    assert postgres.query(odd, database) == []
    chain = """SELECT e.id FROM (SELECT id, amount, balance_after,
                 lag(balance_after) OVER (PARTITION BY account ORDER BY id) AS before FROM entry) e
               WHERE before IS NOT NULL AND balance_after <> before + amount"""
    assert postgres.query(chain, database) == []
    halves = "SELECT movement FROM entry GROUP BY movement HAVING count(*) <> 2 OR sum(amount) <> 0"
    assert postgres.query(halves, database) == []


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Run a PostgreSQL for all tests; each gets a database `bank` of its own."""
    postgres = Postgres(tmp_path_factory.mktemp("postgres"))
    postgres.found()
    postgres.start()
    yield postgres
    postgres.stop()


@pytest.fixture
def bank(server: Postgres, tmp_path: Path) -> Iterator[Bank]:
    """Return a bank that was not founded yet."""
    if server.process is None:
        server.start()
    server.query("DROP DATABASE IF EXISTS bank WITH (FORCE)", database="postgres")
    server.query("CREATE DATABASE bank", database="postgres")
    estate = Bank(server, tmp_path)
    yield estate
    for process in estate.started:
        process.stop()


@pytest.fixture
def second(bank: Bank) -> Iterator[str]:
    """Yield the name of a database for a second cell; the bank's processes end before it does."""
    bank.postgres.query("DROP DATABASE IF EXISTS bank_1 WITH (FORCE)", database="postgres")
    bank.postgres.query("CREATE DATABASE bank_1", database="postgres")
    yield "bank_1"
    for each in bank.started:
        each.stop()
    if bank.postgres.process is None:
        bank.postgres.start()
    bank.postgres.query("DROP DATABASE bank_1 WITH (FORCE)", database="postgres")


# Tests cannot import from here; they ask for these by name.
@pytest.fixture(name="eventually")
def _eventually() -> Callable[..., Any]:
    return eventually


@pytest.fixture(name="at_once")
def _at_once() -> Callable[..., list[Reply]]:
    return at_once


@pytest.fixture(name="free_port")
def _free_port() -> Callable[[], int]:
    return free_port


@pytest.fixture(name="urls")
def _urls() -> Callable[..., str]:
    return urls


@pytest.fixture
def standby(server: Postgres, bank: Bank, tmp_path: Path) -> Iterator[Postgres]:
    """Yield a second server that follows the first."""
    follower = type(server)(tmp_path)
    source = f"host=127.0.0.1 port={server.port} user=bank"
    follower.run("pg_basebackup", "-d", source, "-D", str(follower.data), "-R", "-X", "stream", "-c", "fast")
    follower.start()
    yield follower
    follower.stop()


@pytest.fixture(name="books_agree")
def _books_agree() -> Callable[..., None]:
    return books_agree


@pytest.fixture(name="fast")
def _fast() -> Callable[..., str]:
    return fast
