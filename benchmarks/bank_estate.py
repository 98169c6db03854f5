"""The processes of a bank for a benchmark, set as the manifests set them, on loopback; and what they use."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.lab.bank.conftest import Bank, Postgres

from stormbank.roles import ROLES

_SHARED = (
    Path(__file__).parents[1] / "topology" / "kubernetes" / "base" / "bank" / "region" / "kustomization.yaml"
)
_OURS = ("BANK_CELLS", "BANK_LEDGERS", "BANK_SERVICES")
"""Settings of the manifests that say where things are; here they are elsewhere."""
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Estate:
    """Running processes: `pids` by program, the postmaster's under `postgres`."""

    url: str
    pids: Mapping[str, int]
    slots: int
    service_s: Mapping[str, float]

    def cpu_s(self) -> dict[str, float]:
        """What each program has used so far, with the processes that it started."""
        return {name: sum(map(_cpu_s, _family(pid))) for name, pid in self.pids.items()}

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of each process of the bank."""
        return {name: _resident_mb(pid) for name, pid in self.pids.items() if name != "postgres"}


def literals() -> dict[str, str]:
    """The settings that all processes of a region share, as its kustomization has them."""
    (generator,) = yaml.safe_load(_SHARED.read_text(encoding="utf-8"))["configMapGenerator"]
    return dict(each.split("=", 1) for each in generator["literals"])


@contextlib.contextmanager
def estate(directory: Path) -> Iterator[Estate]:
    """One process of each role that the default mix needs, on a database of its own."""
    shared = {name: value for name, value in literals().items() if name not in _OURS}
    postgres = Postgres(directory / "postgres")
    postgres.root.mkdir()
    postgres.found()
    postgres.start()
    bank = Bank(postgres, directory)
    try:
        postgres.query("CREATE DATABASE bank", database="postgres")
        ledger = bank.ledger(**shared)
        gateway = bank.gateway(ledger, **shared)
        capacity = ROLES["ledger"].read({**ledger.env, "BANK_TOKEN_SECRET": "x" * 16}).capacity
        pids = {"gateway": _pid(gateway), "ledger": _pid(ledger), "postgres": _postmaster(postgres)}
        yield Estate(f"http://127.0.0.1:{gateway.port}", pids, capacity.slots, capacity.service_s)
    finally:
        for process in bank.started:
            process.stop()
        postgres.stop()


def _pid(process: Any) -> int:
    return int(process.child.pid)


def _postmaster(postgres: Postgres) -> int:
    return int((postgres.data / "postmaster.pid").read_text().splitlines()[0])


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def _cpu_s(pid: int) -> float:
    """User and system time of a process and of what it waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except FileNotFoundError:
        return 0.0  # it ended meanwhile; its parent has waited for it, and counts it
    return sum(int(field) for field in fields[11:15]) * _TICK_S


def _resident_mb(pid: int) -> float:
    (line,) = (
        each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1000
