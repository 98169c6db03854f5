"""Control groups of the lab: the v2 hierarchy to kill and freeze by, v1 `cpu` (or v2) for the lab's share."""

from __future__ import annotations

import contextlib
import os
import select
import time
from functools import cache
from pathlib import Path

from stormlab.errors import LabError
from stormlab.inventory import Inventory

DAEMONS = "daemons"
LAB_CPU_SHARES = 8192
"""What all pods together weigh on a full machine; a process outside weighs 1024, raised by its nice value.

The pods are dozens of processes, so each of them still counts for less than the harness and its generator. A
share as of one process (512 was tried) starves the whole bank whenever a few of the lab's own processes are
busy, as they are when pods start: answers then took a second after every kill.
"""
STARTING_CPU_SHARES, SERVING_CPU_SHARES = 64, 1024
"""What one pod weighs among the others, until it is ready for the first time and from then on."""


@cache
def v2_root() -> Path:
    """Where the v2 hierarchy is mounted. Raises LabError when it is not."""
    return _mounted("cgroup2", None)


@cache
def v1_cpu_root() -> Path | None:
    """Where the v1 cpu controller is mounted, None on a machine with v2 only."""
    try:
        return _mounted("cgroup", "cpu")
    except LabError:
        return None


def _mounted(kind: str, controller: str | None) -> Path:
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, place, found, options = line.split()[:4]
        if found == kind and (controller is None or controller in options.split(",")):
            return Path(place)
    raise LabError(f"no {kind} {controller or ''} hierarchy is mounted; the lab needs it to kill pods")


def make_lab(inventory: Inventory, name: str) -> None:
    """Make the lab's groups in each hierarchy, recorded first. `name` as Estate.cgroup.

    The lab's own processes have a group apart from its pods: their children (`ip`, a shim on its way)
    must not outlive a teardown, and the pods' CPU share is not theirs.
    """
    daemons = v2_root() / f"{name}.daemons"
    inventory.add("cgroup", daemons, DAEMONS)
    daemons.mkdir(exist_ok=True)
    for path in _lab_groups(name):
        inventory.add("cgroup", path)
        path.mkdir(exist_ok=True)
    if not (v2_root() / name / "cgroup.kill").exists():
        raise LabError("this kernel cannot kill a control group at once (cgroup.kill, Linux 5.14)")
    cpu = v1_cpu_root()
    if cpu is not None:
        (cpu / name / "cpu.shares").write_text(str(LAB_CPU_SHARES), encoding="ascii")
        return
    with contextlib.suppress(OSError):  # v2 only: possible unless the root delegates no cpu controller
        (v2_root() / "cgroup.subtree_control").write_text("+cpu", encoding="ascii")
        (v2_root() / name / "cpu.weight").write_text(str(LAB_CPU_SHARES * 100 // 1024), encoding="ascii")


def _lab_groups(name: str) -> list[Path]:
    cpu = v1_cpu_root()
    return [v2_root() / name, *([cpu / name] if cpu is not None else [])]


def pod_path(lab: str, zone: str, uid: str) -> Path:
    """The v2 group of a pod; the shim lives in `sandbox` below it, each container beside that."""
    return v2_root() / lab / zone / "kubepods" / f"pod{uid}"


def make_cpu(path: Path) -> None:
    """Make a pod's own group of the v1 `cpu` hierarchy, below the lab's, for a pod that starts.

    On a datacenter's machines a pod that starts does not take the processor from those that serve. Here they
    share two cores, and four interpreters starting at once pushed answers from 30 ms to half a second, light
    weight or not: whoever runs keeps the core to the end of its slice. Only an idle group gives way at once.
    """
    path.mkdir(exist_ok=True)
    with contextlib.suppress(OSError):  # since Linux 5.15
        (path / "cpu.idle").write_text("1", encoding="ascii")
        return
    (path / "cpu.shares").write_text(str(STARTING_CPU_SHARES), encoding="ascii")


def serve_cpu(path: Path) -> None:
    """Give the group the weight of a pod that serves; nothing happens when it does not exist."""
    with contextlib.suppress(OSError):
        (path / "cpu.idle").write_text("0", encoding="ascii")
    with contextlib.suppress(OSError):
        (path / "cpu.shares").write_text(str(SERVING_CPU_SHARES), encoding="ascii")


def kill(path: Path) -> None:
    """SIGKILL every process in the group and below, at once; nothing happens when it does not exist."""
    with contextlib.suppress(FileNotFoundError, OSError):
        (path / "cgroup.kill").write_text("1", encoding="ascii")


def populated(path: Path) -> bool:
    """Whether any process, zombies aside, is in the group or below."""
    try:
        return "populated 1" in (path / "cgroup.events").read_text(encoding="ascii")
    except OSError:
        return False


def wait_empty(path: Path, timeout_s: float) -> bool:
    """Wait on the kernel's notification until the group holds no process; whether it does not."""
    try:
        fd = os.open(path / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        poll = select.poll()
        poll.register(fd, select.POLLPRI)
        deadline = time.monotonic() + timeout_s
        while b"populated 1" in os.pread(fd, 256, 0):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            poll.poll(min(left_s, 0.05) * 1000)
    except OSError:
        return True
    finally:
        os.close(fd)
    return True


def remove(path: Path) -> bool:
    """Remove the group and all below; whether nothing is left of it. Processes must be gone before."""
    try:
        children = [Path(entry.path) for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return True
    for child in children:
        remove(child)
    with contextlib.suppress(OSError):
        path.rmdir()
    return not path.exists()


def processes(path: Path) -> list[int]:
    """Pids in the group and below, as seen from the caller's PID namespace."""
    found: list[int] = []
    for directory, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            text = (Path(directory) / "cgroup.procs").read_text(encoding="ascii")
            found += [int(pid) for pid in text.split()]
    return found
