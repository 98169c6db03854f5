"""What TLS costs the generator: the same phones at the same stub through two edges, one of which has a certificate."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.stub import Stub
from stormdrill import profile, store, wait
from stormdrill.estate import Edge, Idempotency, Operation, OperationKind
from stormdrill.load.config import LoadConfig
from stormdrill.load.process import LoadProcess
from stormlab import pki

IDS = ("load.https_cpu_ms_per_request",)
RATE_PER_S = 200
_STEADY_S = 10.0
_PHONES = Path(__file__).parents[1] / "loadtests" / "locustfile.py"
_PROFILE = f"""\
schema: stormdrill.profile/1
name: bench
business: {{monthly_active: 86400, daily_share: 100%, uses_per_day: 1, calls_per_use: 3, peak_factor: 1,
           yearly_value: 0, ticket: 1}}
session: {{length: 20s, opening: [login], actions: {{balance: 1}}}}
probes: {{balance: {RATE_PER_S}/s}}
"""
_EDGE = """\
global
    nbthread 1
    ssl-load-extra-del-ext
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
listen edge
    bind 127.0.0.1:{port}{tls}
    server bank {bank}
"""
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Side:
    """One edge and the load on it."""

    load: LoadProcess
    edge: subprocess.Popen[bytes]

    def used(self) -> tuple[float, float, int]:
        """Processor time of generator and edge so far, and requests sent."""
        return _cpu_s(self.load.pid), _cpu_s(self.edge.pid), sum(line.offered for line in self.load.seconds)


def securing() -> Iterator[Figure]:
    """CPU of one request in the generator; that of the edge is said beside it."""
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-https-")))
        pki.ensure(root, ["bench"])
        certificate, key = pki.issue(root, "edge", ["127.0.0.1"])
        (root / "tls.crt").write_text(certificate)
        (root / "tls.key").write_text(key)
        stub = stack.enter_context(Stub())
        sides = [stack.enter_context(_side(root, stub.url, secured=secured)) for secured in (True, False)]
        wait.pause(3.0)
        before = [side.used() for side in sides]
        wait.pause(_STEADY_S)
        after = [side.used() for side in sides]
    ours, plain = (
        tuple((end[n] - begin[n]) / max(1, end[2] - begin[2]) * 1000 for n in (0, 1))
        for begin, end in zip(before, after, strict=True)
    )
    yield Figure(
        IDS[0], "ms", ours[0], plain[0],
        f"phones at {RATE_PER_S}/s over TLS; plain: without; the edge: {ours[1]:.2f} and {plain[1]:.2f} ms",
    )  # fmt: skip


@contextlib.contextmanager
def _side(root: Path, bank: str, *, secured: bool) -> Iterator[_Side]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    tls = f" ssl crt {root}/tls.crt" if secured else ""
    path = root / f"edge-{port}.cfg"
    path.write_text(_EDGE.format(port=port, tls=tls, bank=bank.removeprefix("http://")))
    edge = subprocess.Popen(["haproxy", "-db", "-f", str(path)])
    try:
        url = f"{'https' if secured else 'http'}://127.0.0.1:{port}"
        authorities = (pki.authority(root),) if secured else ()
        load = LoadProcess.launch(_config(root, url, authorities), lambda _: None)
        try:
            yield _Side(load, edge)
        finally:
            load.kill()
    finally:
        edge.kill()
        edge.wait()


def _config(root: Path, url: str, authorities: tuple[str, ...]) -> LoadConfig:
    path = root / "profile.yaml"
    path.write_text(_PROFILE)
    run = store.create(root / "runs", url.partition(":")[0])
    operations = tuple(Operation(name, "A2", OperationKind.READ, 2.0, ()) for name in ("login", "balance"))
    return LoadConfig(
        run.id, run.path, _PHONES, 7, profile.load(path), (Edge("edge", url),), operations, ("cell0",),
        Idempotency("Idempotency-Key", "amount", "to"), authorities=authorities,
    )  # fmt: skip


def _cpu_s(pid: int) -> float:
    """User and system time of all threads of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S
