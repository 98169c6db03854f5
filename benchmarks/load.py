"""The load generator beside plain Locust: the same locustfile, rate and stub, at the same time.

What reached the stub counts, for both. A bare loop that sleeps until each due time runs beside them, and shows how
late anything is on this machine at this moment.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figure import Figure
from benchmarks.stub import Stub
from stormdrill import profile, store, wait
from stormdrill.estate import Edge, Idempotency, Operation, OperationKind
from stormdrill.load.config import LoadConfig
from stormdrill.load.process import LoadProcess
from stormdrill.records import reader
from stormdrill.records.layout import Flag

HERE = Path(__file__).parent
USERS, RATE_PER_S = 40, 200
STEADY_S, STALL_S = 8.0, 3.0
_PROFILE = f"""\
schema: stormdrill.profile/1
name: bench
arrivals: {RATE_PER_S}/s
users: {USERS}
app: {{timeout: 20s, connect_timeout: 5s}}
"""
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Cost:
    """What a process used between two moments, and what its stub saw between them."""

    cpu_s: float
    requests: int

    @property
    def per_request_ms(self) -> float:
        return self.cpu_s / max(1, self.requests) * 1000


def generating() -> Iterator[Figure]:
    """CPU of one request, lateness, and what is counted while the other side says nothing."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stubs = stack.enter_context(Stub()), stack.enter_context(Stub())
        ours = LoadProcess.launch(_config(directory, stubs[0].url), lambda _: None)
        stack.callback(ours.kill)
        plain = stack.enter_context(_plain_locust(stubs[1].url))
        sleeper = stack.enter_context(_sleeper())
        wait.until(lambda: min(stub.seen() for stub in stubs) > RATE_PER_S, deadline_s=20, what="both loads")
        costs = _costs((ours.pid, plain.pid), stubs)
        late_plain_ms = float(sleeper.communicate()[0])
        steady_ns = time.monotonic_ns()
        seen = _stall(stubs)
        ours.stop()
        records = _finals(directory)
    in_stall = (records["due_ns"] >= steady_ns) & (records["due_ns"] < steady_ns + int(STALL_S * 1e9))
    steady = records[(records["due_ns"] < steady_ns) & (records["due_ns"] >= steady_ns - int(STEADY_S * 1e9))]
    late_ms = float(np.percentile(steady["sent_ns"] - steady["due_ns"], 99)) / 1e6
    yield Figure(
        "load.cpu_ms_per_request", "ms", costs[0].per_request_ms, costs[1].per_request_ms,
        f"the same locustfile at {RATE_PER_S}/s; plain: Locust's own pacing",
    )  # fmt: skip
    yield Figure(
        "load.lateness_p99_ms",
        "ms",
        late_ms,
        late_plain_ms,
        "sent after due; plain: a loop that sleeps until due",
    )
    yield Figure(
        "load.counted_in_stall", "1/s", float(np.sum(in_stall)) / STALL_S, seen[1] / STALL_S,
        f"of about {RATE_PER_S}/s due while no answer comes; plain: Locust's own pacing",
    )  # fmt: skip


def _costs(pids: tuple[int, int], stubs: tuple[Stub, Stub]) -> tuple[_Cost, _Cost]:
    def now() -> list[tuple[float, int]]:
        return [(_cpu_s(pid), stub.seen()) for pid, stub in zip(pids, stubs, strict=True)]

    before = now()
    wait.pause(STEADY_S)
    one, other = (_Cost(b[0] - a[0], b[1] - a[1]) for a, b in zip(before, now(), strict=True))
    return one, other


def _stall(stubs: tuple[Stub, Stub]) -> tuple[int, int]:
    """Requests that reach each stub while it says nothing."""
    before = [stub.seen() for stub in stubs]
    for stub in stubs:
        stub.stall(STALL_S)
    wait.pause(STALL_S - 0.1)
    one, other = (stub.seen() - count for stub, count in zip(stubs, before, strict=True))
    wait.pause(0.5)  # what was held is answered, so that the records of it end
    return one, other


def _config(directory: Path, url: str) -> LoadConfig:
    path = directory / "profile.yaml"
    path.write_text(_PROFILE)
    run = store.create(directory / "runs", "bench")
    balance = Operation("balance", "A2", OperationKind.READ, 2.0, ("GET /v1/accounts/1",))
    return LoadConfig(
        run.id, run.path, HERE / "customer.py", 7, profile.load(path), (Edge("stub", url),), (balance,), ("cell0",),
        Idempotency("Idempotency-Key", "amount", "to"),
    )  # fmt: skip


def _finals(directory: Path) -> Any:
    (requests,) = directory.glob("runs/*/requests")
    records = reader.read_directory(requests).data
    return records[(records["flags"] & Flag.FINAL) > 0]


@contextlib.contextmanager
def _plain_locust(url: str) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "locust", "-f", str(HERE / "customer.py"), "--headless", "--only-summary"]
    argv += ["-u", str(USERS), "-r", str(USERS), "--host", url, "--loglevel", "ERROR", "--skip-log-setup"]
    pace = {"BENCH_PACE_PER_S": str(RATE_PER_S / USERS)}
    process = subprocess.Popen(
        argv, env={**os.environ, **pace}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _sleeper() -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "benchmarks.sleeper", str(RATE_PER_S), str(STEADY_S)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _cpu_s(pid: int) -> float:
    """User and system time of all threads of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S
