"""What a container may take of processor and memory: quota and limit of control groups, v1 or v2.

The processor's limit holds a container back, the memory's kills it (`OOMKilled`). Under v1 a container with a limit has
a group of its own in that hierarchy; under v2 the group it is killed by holds the limits too.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

PERIOD_US = 100_000
_SHORTEST_US = 1_000


@dataclass(frozen=True)
class Limits:
    """Of one container; None is without limit."""

    cpu: float | None = None
    """Cores."""
    memory: int | None = None
    """Bytes."""


@dataclass(frozen=True)
class Places:
    """The groups of a pod: v2, and v1 where the machine has these controllers there."""

    v2: Path
    cpu: Path | None
    memory: Path | None


@dataclass(frozen=True)
class Held:
    """How a container's limits are held."""

    groups: tuple[str, ...] = ()
    """It has to enter these, beside its v2 group."""
    kills: str = ""
    """File in which the kernel counts whom it killed for lack of memory."""
    missing: tuple[str, ...] = ()
    """Limits that this machine cannot hold: cpu, memory."""


def delegate(controller: str, *groups: Path) -> None:
    """Have v2 groups hand `cpu` or `memory` down to those below them, outermost first, as far as the kernel lets."""
    for group in groups:
        _write(group / "cgroup.subtree_control", f"+{controller}")


def place(pod: Places, container: str, limits: Limits) -> Held:
    """Where a container's limits are held, made or not."""
    wanted = ((pod.cpu, limits.cpu), (pod.memory, limits.memory))
    groups = tuple(str(group / container) for group, amount in wanted if group and amount is not None)
    if limits.memory is None:
        return Held(groups)
    v1 = pod.memory and pod.memory / container / "memory.oom_control"
    return Held(groups, str(v1 or pod.v2 / container / "memory.events"))


def hold(pod: Places, container: str, limits: Limits) -> Held:
    """Make the container's groups and write its limits. Raises OSError when the pod's groups are gone."""
    missing = []
    under_v2 = [name for name, v1 in (("cpu", pod.cpu), ("memory", pod.memory)) if v1 is None]
    if limits != Limits() and under_v2:
        (pod.v2 / container).mkdir(exist_ok=True)
        for controller in under_v2:
            delegate(controller, pod.v2)
    if limits.cpu is not None and not _hold_cpu(pod, container, limits.cpu):
        missing.append("cpu")
    if limits.memory is not None and not _hold_memory(pod, container, limits.memory):
        missing.append("memory")
    found = place(pod, container, limits)
    return Held(found.groups, found.kills, tuple(missing))


def _hold_cpu(pod: Places, container: str, cores: float) -> bool:
    quota_us = max(_SHORTEST_US, round(cores * PERIOD_US))
    if pod.cpu is None:
        return _write(pod.v2 / container / "cpu.max", f"{quota_us} {PERIOD_US}")
    group = pod.cpu / container
    group.mkdir(exist_ok=True)
    _write(group / "cpu.cfs_period_us", str(PERIOD_US))
    return _write(group / "cpu.cfs_quota_us", str(quota_us))


def _hold_memory(pod: Places, container: str, limit: int) -> bool:
    if pod.memory is None:
        group = pod.v2 / container
        _write(group / "memory.swap.max", "0")
        # As kubelets of v2 nodes: a container is killed as a whole.
        _write(group / "memory.oom.group", "1")
        return _write(group / "memory.max", str(limit))
    group = pod.memory / container
    group.mkdir(parents=True, exist_ok=True)
    # With swap counted in, as on a node without any. The lower of both moves first down and last up.
    _write(group / "memory.limit_in_bytes", str(limit))
    _write(group / "memory.memsw.limit_in_bytes", str(limit))
    return _write(group / "memory.limit_in_bytes", str(limit))


def _write(path: Path, text: str) -> bool:
    """Write to a file that is there; whether the kernel took it."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode("ascii"))
            return True
        finally:
            os.close(fd)
    return False
