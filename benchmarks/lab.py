"""The lab itself: how long it takes to be ready and to be gone, and what it takes while nobody asks it anything."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figure import Bounded, Skipped
from stormdrill import wait
from stormlab import cgroup, claimspace

IDS = ("lab.ready_s", "lab.idle_cores", "lab.idle_mb", "lab.down_s")
_TOPOLOGIES = Path(__file__).parents[1] / "topology"
_STATES = Path("/var/lib/stormlab-bench-labs")
"""The same every time: what a killed run left there is taken down by the next."""
_NAME = "bench"
_SETTLE_S, _IDLE_S = 10.0, 30.0


@dataclass(frozen=True)
class _Use:
    """What a lab has used and uses at one moment."""

    at_s: float
    cpu_s: float


def living() -> Iterator[Bounded | Skipped]:
    """One life of a lab: up, idle, down; needs root, and the ports of the preset."""
    preset = next(name for name in ("full", "small") if (_TOPOLOGIES / f"{name}.yaml").exists())
    if os.geteuid() != 0:
        yield from _skipped("needs root (namespaces, control groups)")
        return
    _lab("down", preset)
    up, why = _lab("up", preset)
    try:
        if not up:
            yield from _skipped(why)
            return
        yield Bounded(
            "lab.ready_s", "s", up["ready_s"], 40.0, f"`lab up` of preset {preset} until it is ready"
        )
        cores, megabytes = _idle()
        yield Bounded(
            "lab.idle_cores", "cores", cores, 0.5, f"processor time of all its processes over {_IDLE_S:g} s"
        )
        yield Bounded("lab.idle_mb", "MB", megabytes, 3000.0, "their memory (PSS), and its volumes'")
    finally:
        down, why = _lab("down", preset)
        with contextlib.suppress(OSError):
            _STATES.rmdir()
    if not down:
        raise RuntimeError(f"the lab of the benchmark does not go down: {why}")
    yield Bounded("lab.down_s", "s", down["down_s"], 6.0, f"`lab down` of preset {preset}")


def _skipped(why: str) -> Iterator[Skipped]:
    return (Skipped(name, why) for name in IDS)


def _lab(command: str, preset: str) -> tuple[dict[str, Any], str]:
    """Run one of its commands; its report, or nothing and what was wrong."""
    topology = _TOPOLOGIES / f"{preset}.yaml"
    argv = [sys.executable, "-m", "stormlab", command, "--topology", str(topology), "--name", _NAME, "--json"]
    environment = {**os.environ, "STORMLAB_STATE": str(_STATES)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        return {}, " ".join(done.stderr.split()) or f"exit code {done.returncode}"
    return json.loads(done.stdout), ""


def _groups() -> list[Path]:
    return [cgroup.v2_root() / f"stormlab-{_NAME}", cgroup.v2_root() / f"stormlab-{_NAME}.daemons"]


def _idle() -> tuple[float, float]:
    """Cores in use over a while in which nobody asks the lab anything, and megabytes at its end."""
    wait.pause(_SETTLE_S)
    before = _use()
    wait.pause(_IDLE_S)
    after = _use()
    memory = sum(_pss(pid) for group in _groups() for pid in cgroup.processes(group))
    memory += sum(shutil.disk_usage(volume).used for volume in _volumes())
    return (after.cpu_s - before.cpu_s) / (after.at_s - before.at_s), memory / 1e6


def _volumes() -> list[str]:
    """Where its volumes are mounted: file systems in memory, one for each size."""
    space = str(_STATES / _NAME / claimspace.DIRECTORY)
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return sorted({place for place in mounted if place == space or place.startswith(f"{space}/")})


def _use() -> _Use:
    """By control groups, so that what lived only for a moment counts, too."""
    lines = [line.split() for group in _groups() for line in (group / "cpu.stat").read_text().splitlines()]
    return _Use(time.monotonic(), sum(int(value) for key, value in lines if key == "usage_usec") / 1e6)


def _pss(pid: int) -> int:
    """Bytes of its own, and its share of what it shares."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
