"""The lab's own processes: which there are, how each is started, and adopting those that already run."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stormlab import forwards, partyprocess, prometheus
from stormlab.errors import LabError
from stormlab.estate import Estate
from stormlab.inventory import Inventory
from stormlab.process import ProcessId, find, start, stop

LOGS = "logs"
_STOP_S = 2.0
_LOG_TAIL = 5


@dataclass(frozen=True)
class Daemon:
    """One long-lived process of the lab."""

    name: str
    """As in the inventory, in `status`, and of its log file."""
    argv: tuple[str, ...]
    environment: Mapping[str, str] | None = None
    """All of its variables; None for the lab's own programs, which get ours."""


def wanted(estate: Estate, state: Path) -> list[Daemon]:
    """All processes of this estate, in the order in which they are needed."""
    found = [Daemon("relay", _own("relay", state))]
    found += [Daemon(f"api-{r.name}", _own("api", state, "--region", r.name)) for r in estate.regions]
    found += [Daemon(f"node-{z.name}", _own("node", state, "--zone", z.name)) for z in estate.zones]
    if estate.preset.prometheus is not None:
        found.append(Daemon("targets", _own("targets", state)))
        found.append(Daemon("prometheus", tuple(prometheus.argv(estate, estate.preset.prometheus, state))))
    if estate.preset.names:
        found.append(Daemon("names", _own("names", state)))
    found += [
        Daemon(
            party.name,
            partyprocess.argv(estate, party, state),
            partyprocess.environment(estate, party, state),
        )
        for party in estate.preset.outside
    ]
    if estate.forwards:
        found.append(Daemon("forwards", tuple(forwards.argv(state))))
    return found


def _own(role: str, state: Path, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "stormlab", role, "--state", str(state), *arguments)


def log_path(state: Path, name: str) -> Path:
    """Where a process writes."""
    return state / LOGS / f"{name}.log"


def running(inventory: Inventory, daemons: list[Daemon]) -> dict[str, ProcessId]:
    """The ones that run, by name."""
    found = {daemon.name: find(inventory, daemon.name) for daemon in daemons}
    return {name: process for name, process in found.items() if process is not None}


def start_missing(estate: Estate, state: Path, inventory: Inventory) -> list[str]:
    """Write configurations, start what does not run, restart what runs with an older configuration.

    Needs the network. Returns the names of what was started. Raises LabError when a program cannot be.
    """
    daemons = wanted(estate, state)
    alive = running(inventory, daemons)
    for name in _stale(estate, state, alive):
        stop([alive.pop(name)], _STOP_S)
    # No process of the lab talks to anybody but the lab: its CA is all they trust (and all they load).
    trust = {"SSL_CERT_FILE": str(state / "pki" / "ca.crt"), "SSL_CERT_DIR": "/nonexistent"}
    ours = {**os.environ, **trust}
    started = []
    for daemon in daemons:
        if daemon.name not in alive:
            log, environment = log_path(state, daemon.name), daemon.environment
            try:
                start(inventory, daemon.name, daemon.argv, log, ours if environment is None else environment)
            except OSError as error:
                raise LabError(f"{daemon.name}: {daemon.argv[0]}: {error.strerror}") from error
            started.append(daemon.name)
    return started


def _stale(estate: Estate, state: Path, alive: Mapping[str, ProcessId]) -> list[str]:
    """Write the configurations; names of running processes that must start anew to read theirs."""
    stale = []
    if estate.forwards and forwards.write(estate, state) and "forwards" in alive:
        stale.append("forwards")
    changed = [party.name for party in estate.preset.outside if partyprocess.write(estate, party, state)]
    stale += [name for name in changed if name in alive]
    part = estate.preset.prometheus
    if part is not None and prometheus.write(estate, part, state) and "prometheus" in alive:
        alive["prometheus"].signal(signal.SIGHUP)
    return stale


def dead(estate: Estate, state: Path, inventory: Inventory) -> list[str]:
    """One line for each process that should run and does not, with the end of its log."""
    daemons = wanted(estate, state)
    alive = running(inventory, daemons)
    return [
        f"{daemon.name} has ended: {tail(log_path(state, daemon.name), _LOG_TAIL)}"
        for daemon in daemons
        if daemon.name not in alive
    ]


def tail(path: Path, lines: int) -> str:
    """The last lines of a log."""
    try:
        text = path.read_bytes()[-8192:].decode("utf-8", "replace")
    except OSError:
        return f"(no log at {path})"
    return "\n".join(text.splitlines()[-lines:]) or f"(nothing in {path})"
