"""Control groups of the lab: v2 to kill and freeze by; for weights and limits v1 `cpu` and `memory`, or v2."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from stormlab import cgrouplimits, cpuweight
from stormlab.errors import LabError
from stormlab.inventory import Inventory

DAEMONS = "daemons"
PODS = "kubepods"


@cache
def v2_root() -> Path:
    """Where the v2 hierarchy is mounted. Raises LabError when it is not."""
    return _mounted("cgroup2", None)


@cache
def v1_cpu_root() -> Path | None:
    """Where the v1 cpu controller is mounted, None on a machine with v2 only."""
    return _v1("cpu")


@cache
def v1_memory_root() -> Path | None:
    """Where the v1 memory controller is mounted, None on a machine with v2 only."""
    return _v1("memory")


def _v1(controller: str) -> Path | None:
    try:
        return _mounted("cgroup", controller)
    except LabError:
        return None


def _mounted(kind: str, controller: str | None) -> Path:
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, place, found, options = line.split()[:4]
        if found == kind and (controller is None or controller in options.split(",")):
            return Path(place)
    raise LabError(f"no {kind} {controller or ''} hierarchy is mounted; the lab needs it to kill pods")


def make_lab(inventory: Inventory, name: str, zones: Iterable[str] = ()) -> None:
    """Make the lab's groups in each hierarchy, recorded first. `name` as Estate.cgroup, `zones` by name.

    The lab's own processes have a group apart from its pods: their children (`ip`, a shim on its way)
    must not outlive a teardown, and the pods' weight is not theirs.
    """
    daemons = v2_root() / f"{name}.daemons"
    inventory.add("cgroup", daemons, DAEMONS)
    daemons.mkdir(exist_ok=True)
    for path in _lab_groups(name):
        inventory.add("cgroup", path)
        path.mkdir(exist_ok=True)
    for zone in zones:
        (zone_path(name, zone) / PODS).mkdir(parents=True, exist_ok=True)
    if not (v2_root() / name / "cgroup.kill").exists():
        raise LabError("this kernel cannot kill a control group at once (cgroup.kill, Linux 5.14)")
    cpu = v1_cpu_root()
    nested = [path for zone in zones for path in (zone_path(name, zone), zone_path(name, zone) / PODS)]
    if v1_memory_root() is None:
        cgrouplimits.delegate("memory", v2_root(), v2_root() / name, *nested)
    if cpu is not None:
        cpuweight.weigh_v1(cpu / name)
    else:
        cpuweight.weigh_v2(v2_root(), v2_root() / name, daemons, caller=own_v2_group(), nested=nested)


def own_v2_group() -> str:
    """The v2 group of this process, as a path from the hierarchy's root: `/` or `/user.slice/...`."""
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")


def _lab_groups(name: str) -> list[Path]:
    return [root / name for root in (v2_root(), v1_cpu_root(), v1_memory_root()) if root is not None]


def zone_path(lab: str, zone: str) -> Path:
    """The v2 group of a zone: what a pod with the host's /sys/fs/cgroup sees as the hierarchy's root."""
    return v2_root() / lab / zone


def pod_path(lab: str, zone: str, uid: str) -> Path:
    """The v2 group of a pod, named as a node's cgroupfs driver does.

    The shim lives in `sandbox` below it, each container beside that.
    """
    return zone_path(lab, zone) / PODS / f"pod{uid}"


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
