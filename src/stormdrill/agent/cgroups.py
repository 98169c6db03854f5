"""Pods as the kernel knows them: their v2 control groups, found by pod UID, and killed through them.

Both layouts of the kubelet are known: cgroupfs (`kubepods[/burstable]/pod<UID>/<container>`) and systemd
(`kubepods-burstable-pod<UID with _>.slice/cri-containerd-<id>.scope`), on a pure v2 machine and below `unified`.
A pod's sandbox is left alone: with it the pod would lose its address.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

_DEPTH = 7
_PARENT = re.compile(r"(?:^|-)kubepods(?:\.slice)?$")
_POD = re.compile(r"(?:^|-)pod([0-9A-Za-z_-]+?)(?:\.slice)?$")
_QOS = re.compile(r"(?:^|-)(?:burstable|besteffort|guaranteed)(?:\.slice)?$")
_SANDBOX = re.compile(r"^sandbox$|^crio-conmon-")


def parents(base: Path) -> list[Path]:
    """The directories that pods' groups are in, below the v2 hierarchy mounted at `base` or `base/unified`."""
    found: list[Path] = []
    for root in (base, base / "unified"):
        if (root / "cgroup.controllers").exists():
            found += _parents(root, _DEPTH)
    return found


def _parents(directory: Path, depth: int) -> Iterator[Path]:
    for child in _children(directory):
        if _PARENT.search(child.name):
            yield child
        elif depth > 1:
            yield from _parents(child, depth - 1)


def pods(where: Collection[Path]) -> dict[str, Path]:
    """The groups of the pods in these directories, by UID."""
    found: dict[str, Path] = {}
    for parent in where:
        for child in _children(parent):
            if _QOS.search(child.name):
                found |= {uid: pod for pod in _children(child) if (uid := _uid(pod.name))}
            elif uid := _uid(child.name):
                found[uid] = child
    return found


def kill_containers(pod: Path) -> int:
    """SIGKILL every process of the pod's containers, at once; how many containers had any.

    The sandbox stays, and whatever group this process itself is in. OSError when the kernel refuses.
    """
    killed = 0
    for group in _children(pod):
        processes = _processes(group)
        if _SANDBOX.search(group.name) or str(os.getpid()) in processes or _is_pause(processes):
            continue
        with suppress(FileNotFoundError):
            if "populated 1" in (group / "cgroup.events").read_text(encoding="ascii"):
                (group / "cgroup.kill").write_text("1", encoding="ascii")
                killed += 1
    return killed


def _uid(name: str) -> str:
    match = _POD.search(name)
    return match[1].replace("_", "-") if match else ""


def _children(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _processes(group: Path) -> list[str]:
    """Of the group and all below it."""
    found: list[str] = []
    for directory, _, _ in os.walk(group):
        with suppress(OSError):
            found += (Path(directory) / "cgroup.procs").read_text(encoding="ascii").split()
    return found


def _is_pause(processes: list[str]) -> bool:
    """Whether this is the sandbox of a container runtime: a lone process called pause."""
    if len(processes) != 1:
        return False
    try:
        return Path("/proc", processes[0], "comm").read_text(encoding="utf-8").strip() == "pause"
    except OSError:
        return False
