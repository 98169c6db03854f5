"""The processes of a bank for a benchmark, set as the manifests set them, on loopback; and what they use.

Payments leave this bank as they leave the deployed one: there is a clearing party, whose work is on the same machine.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.lab.bank.conftest import Bank, Postgres, urls

from stormbank.operations import BY_NAME
from stormbank.roles import ROLES
from stormestate import roles as deployed

_TOPOLOGY = Path(__file__).parents[1] / "topology"
_BANK = _TOPOLOGY / "kubernetes" / "base" / "bank"
_SHARED = _BANK / "region" / "kustomization.yaml"
_OURS = ("BANK_CELLS", "BANK_LEDGERS", "BANK_SERVICES")
"""Settings of the manifests that say where things are; here they are elsewhere."""
_SERVICES = {
    "identity": True,
    "risk": False,
    "wealth": True,
    "campus": True,
    "voice": False,
    "marketing": False,
}
"""Beside gateway and ledger, and whether each asks ledgers."""
_BEHIND = {
    "login": ("credentials",),
    "transfer": ("score",),
    "payment": ("score",),
    "invest": ("payment",),
    "checkin": ("keep_checkin",),
}
"""What an operation asks of other services, beside its own."""
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Estate:
    """Running processes: `pids` by program, the postmaster's under `postgres`."""

    url: str
    pids: Mapping[str, int]
    slots: Mapping[str, int]
    service_s: Mapping[str, float]

    def capacity(self, mix: Mapping[str, float], processes: Mapping[str, int] | None = None) -> float:
        """Requests a second, of `mix`, at which the service with the least room is full.

        `processes`: how many there are of each role; one unless stated.
        """
        busy = dict.fromkeys(self.slots, 0.0)
        for name, rate in mix.items():
            for each in (name, *_BEHIND.get(name, ())):
                busy[BY_NAME[each].service] += rate * self.service_s[each]
        room = {role: slots * (processes or {}).get(role, 1) for role, slots in self.slots.items()}
        return sum(mix.values()) * min(room[role] / busy[role] for role in busy if busy[role])

    def cpu_s(self) -> dict[str, float]:
        """What each program has used so far, with the processes that it started."""
        return {name: sum(map(_cpu_s, _family(pid))) for name, pid in self.pids.items()}

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of each process of the bank."""
        return {name: _resident_mb(pid) for name, pid in self.pids.items() if name != "postgres"}


def literals() -> dict[str, str]:
    """The settings that all processes of a region share, as its kustomization has them."""
    (generator,) = _yaml(_SHARED)["configMapGenerator"]
    return dict(each.split("=", 1) for each in generator["literals"])


def processes_of_the_lab() -> dict[str, int]:
    """How many processes of each role serve the customers of the preset `small`: those of the city it is at home in."""
    cell = _yaml(_TOPOLOGY / "small.yaml")["cells"]["cell0"]
    zones = len([cell["primary"], *cell["standby"]])
    replicas = {role.name: role.replicas for role in deployed.ROLES}
    replicas["ledger"] = _yaml(_BANK / "ledger" / "ledger.yaml")["spec"]["replicas"]
    return {name: count * zones for name, count in replicas.items()}


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


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
        clearing = bank.clearing(BANK_CLEARING_BOOKS=str(directory / "clearing.sqlite"))
        ledger = bank.ledger(**shared, BANK_CLEARING_URL=urls(clearing))
        services = [
            bank.service(role, *([ledger] if asks else []), **shared) for role, asks in _SERVICES.items()
        ]
        named = ",".join(f"{each.role}={urls(each)}" for each in services)
        gateway = bank.gateway(ledger, **shared, BANK_SERVICES=named)
        capacity = ROLES["ledger"].read({**ledger.env, "BANK_TOKEN_SECRET": "x" * 16}).capacity
        slots = {role: int(shared[f"BANK_{role.upper()}_SLOTS"]) for role in _SERVICES}
        pids = {each.role: _pid(each) for each in (gateway, ledger, *services, clearing)}
        pids["postgres"] = _postmaster(postgres)
        slots["ledger"] = capacity.slots
        yield Estate(f"http://127.0.0.1:{gateway.port}", pids, slots, capacity.service_s)
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
