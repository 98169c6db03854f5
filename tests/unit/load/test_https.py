"""Phones at an edge that speaks TLS: a real HAProxy before the stub bank, and certificates that are good or not."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stormdrill import estate, wait
from stormdrill.drill.edges import reach
from stormdrill.errors import InputError, TargetError
from stormdrill.load.config import LoadConfig
from stormdrill.records.layout import Outcome, Reason
from stormlab import pki

from .conftest import Started, Stub

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
CONFIG = """
global
    stats socket {root}/admin.sock level admin
    ssl-load-extra-del-ext
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
listen edge
    bind 127.0.0.1:{port} ssl crt {root}/tls.crt
    # Some connections end now and then: a certificate is looked at when one is made.
    http-after-response set-header Connection close if {{ rand(100) lt 10 }}
    server bank 127.0.0.1:{bank}
"""
PHONES = """
business: {monthly_active: 86400, daily_share: 100%, uses_per_day: 1, calls_per_use: 3, peak_factor: 1,
           yearly_value: 0, ticket: 1}
session: {length: 6s, opening: [login], actions: {balance: 1}}
customers: {first: 1, count: 100, probes: 4}
probes: {balance: 40/s}
app: {timeout: 1s, connect_timeout: 1s}
"""


class Edge:
    """HAProxy with a certificate of a lab's CA."""

    def __init__(self, root: Path, bank: int) -> None:
        self.root = root
        pki.ensure(root / "state", ["city1"])
        self.authority = pki.authority(root / "state")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.certify(dt.timedelta(days=9))
        path = root / "haproxy.cfg"
        path.write_text(CONFIG.format(root=root, port=self.port, bank=bank))
        self.process = subprocess.Popen(["haproxy", "-db", "-f", str(path)], start_new_session=True)
        wait.until(self._listens, deadline_s=10, what="the edge listens")

    def certify(self, lifetime: dt.timedelta) -> None:
        """A certificate that is good for so long from now on, in the files; `show` makes HAProxy show it."""
        certificate, key = pki.issue(self.root / "state", "edge", ["127.0.0.1"], lifetime)
        (self.root / "tls.crt").write_text(certificate)
        (self.root / "tls.key").write_text(key)

    def show(self) -> None:
        pem = (self.root / "tls.crt").read_text() + (self.root / "tls.key").read_text()
        for order in (
            f"set ssl cert {self.root}/tls.crt <<\n{pem}\n",
            f"commit ssl cert {self.root}/tls.crt\n",
        ):
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(str(self.root / "admin.sock"))
                line.sendall(order.encode())
                line.shutdown(socket.SHUT_WR)
                said = b"".join(iter(lambda: line.recv(65536), b""))
            assert b"created" in said or b"Success" in said, said

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


@pytest.fixture
def edge(tmp_path: Path, stub: Stub) -> Iterator[Edge]:
    root = tmp_path / "edge"
    root.mkdir()
    made = Edge(root, int(stub.url.rpartition(":")[2]))
    yield made
    made.process.kill()
    made.process.wait()


def outcomes(started: Started, since_ns: int) -> Counter[tuple[str, str]]:
    records = started.requests()
    after = records[records["due_ns"] >= since_ns]
    return Counter((Outcome(row["outcome"]).name, Reason(row["reason"]).name) for row in after)


def test_phones_are_served_over_connections_that_last(start: Callable[..., Started], edge: Edge) -> None:
    started = start(PHONES, [edge.url], authorities=(edge.authority,))
    wait.pause(2.0)
    started.load.stop()
    assert set(outcomes(started, 0)) == {("GOOD", "NONE")}
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(edge.root / "admin.sock"))
        line.sendall(b"show info\n")
        told = line.makefile().read()
    connections = next(int(row.split()[1]) for row in told.splitlines() if row.startswith("CumSslConns:"))
    asked = len(started.requests())
    assert asked > 60
    assert connections < asked / 3, (
        "tickets that come after a handshake must not look like the end of a connection"
    )


def test_an_expired_certificate_is_a_failed_request_and_said_once(
    start: Callable[..., Started], edge: Edge
) -> None:
    started = start(PHONES, [edge.url], authorities=(edge.authority,))
    wait.pause(1.0)
    edge.certify(-dt.timedelta(hours=1))
    edge.show()
    expired_ns = time.monotonic_ns()
    wait.until(lambda: "certificate has expired" in started.log(), deadline_s=10, what="it is said")
    wait.pause(1.0)
    edge.certify(dt.timedelta(days=9))
    edge.show()
    wait.pause(1.5)
    well_ns = time.monotonic_ns() - int(1e9)
    started.load.stop()
    assert started.load.error == ""
    assert ("FAILED", "CONNECT") in outcomes(started, expired_ns)
    assert set(outcomes(started, well_ns)) == {("GOOD", "NONE")}
    assert started.log().count("certificate has expired") == 1


def test_a_load_that_begins_at_an_expired_certificate_says_so(
    configure: Callable[..., LoadConfig], start: Callable[..., Started], edge: Edge
) -> None:
    edge.certify(-dt.timedelta(hours=1))
    edge.show()
    with pytest.raises(TargetError, match="certificate has expired"):
        start(PHONES, [edge.url], authorities=(edge.authority,))


def test_before_a_drill_the_reason_is_said_of_each_edge(edge: Edge, stub: Stub) -> None:
    at = estate.Edge("city1-a", edge.url)
    reach(at, edge.authority)
    with pytest.raises(InputError, match=r"edge city1-a at https://.* that no phone accepts: "):
        reach(at, "")
    edge.certify(-dt.timedelta(hours=1))
    edge.show()
    with pytest.raises(InputError, match="no phone accepts: certificate has expired"):
        reach(at, edge.authority)
    with pytest.raises(InputError, match="speaks no TLS"):
        reach(estate.Edge("city1-b", stub.url.replace("http://", "https://")), edge.authority)


def test_nobody_else_than_the_authority_is_believed(start: Callable[..., Started], edge: Edge) -> None:
    with pytest.raises(TargetError, match=r"self-signed|unable to get local issuer"):
        start(PHONES, [edge.url])
