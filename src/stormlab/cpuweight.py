"""What each part of the lab weighs while the processor is full.

Wanted, from the heaviest: the load generator with the harness; the lab's own processes (the link relay above all,
through which every packet goes); all pods together; among these a pod that serves before one that starts.

*A v1 `cpu` hierarchy*: the lab's own processes, the harness and its generator are single competitors there, of 1024
shares each (nice 0) to 29000 (nice -15), next to one group for all pods, below it one for each.

*Pure v2*, a machine under systemd as a rule: there processes compete within their slice, and the slices with each
other. Harness and generator are in `user.slice` (in `system.slice` under a CI service), of weight 100; a nice value
counts only among their neighbours in that slice, so no process can raise itself above the lab. Therefore the lab's
two groups, which lie beside the slices, together weigh as much as the slice that `lab up` was called from, and no
more: whatever the lab does, half of the machine is left to that slice, which is a whole core of two, and a generator
is one process; its nice value then puts it before the rest of the slice. Of the lab's half the pods have two fifths
and its own processes three, so that these outweigh any one pod, busy alone or not, and still cannot starve the bank.
Where `lab up` runs in the root group (no systemd), harness and generator compete one by one as in v1, and so do the
numbers. Nothing of this limits anybody while a core is free. An idle group gives way to its siblings only: in v1 these
are all pods of the lab, in v2 those of the same zone, for a zone has a group of its own there (so that a node's agent
sees its own pods and no others); zones weigh the same.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

PODS_SHARES = 8192
"""v1: all pods together.

The pods are dozens of processes, so each of them still counts for less than the harness and its generator. A
share as of one process (512 was tried) starves the whole bank whenever a few of the lab's own processes are
busy, as they are when pods start: answers then took a second after every kill.
"""
STARTING_SHARES, SERVING_SHARES = 64, 1024
"""What one pod weighs among the others, until it is ready for the first time and from then on."""

_PODS_OF_SLICE, _DAEMONS_OF_SLICE = 0.4, 0.6
_DAEMONS_SHARES = 10240
"""v2 beside single processes: about what ten daemons of 1024 weigh without a group."""
_MOST = 10_000


def weigh_v1(pods: Path) -> None:
    """Give the v1 group of all pods its weight. Raises OSError."""
    (pods / "cpu.shares").write_text(str(PODS_SHARES), encoding="ascii")


def weigh_v2(root: Path, pods: Path, daemons: Path, *, caller: str, nested: Iterable[Path] = ()) -> None:
    """Have pods weighed in v2, one by one and together, and the lab's own processes.

    `nested` are the groups between `pods` and the single pods, outer ones first. `caller` is the group that this is
    called from, as in /proc/self/cgroup. Where the kernel keeps the controller to itself (in a container whose
    processes sit in its root group) nothing happens, and all weigh the same.
    """
    for parent in (root, pods, *nested):
        _write(parent / "cgroup.subtree_control", "+cpu")
    top = caller.strip("/").partition("/")[0]
    if top:
        slice_ = _read(root / top / "cpu.weight")
        weights = (round(slice_ * _PODS_OF_SLICE), round(slice_ * _DAEMONS_OF_SLICE))
    else:
        weights = (_weight(PODS_SHARES), _weight(_DAEMONS_SHARES))
    for group, weight in zip((pods, daemons), weights, strict=True):
        _write(group / "cpu.weight", str(min(max(weight, 1), _MOST)))


def starts(pod: Path) -> None:
    """Weigh a pod that starts; nothing happens where its group cannot be weighed.

    On a datacenter's machines a pod that starts does not take the processor from those that serve. Here they
    share two cores, and four interpreters starting at once pushed answers from 30 ms to half a second, light
    weight or not: whoever runs keeps the core to the end of its slice. Only an idle group gives way at once.
    """
    if not _write(pod / "cpu.idle", "1"):  # since Linux 5.15
        _weigh(pod, STARTING_SHARES)


def serves(pod: Path) -> None:
    """Weigh a pod that serves; nothing happens where its group cannot be weighed, or is gone."""
    _write(pod / "cpu.idle", "0")
    _weigh(pod, SERVING_SHARES)


def _weigh(group: Path, shares: int) -> None:
    if not _write(group / "cpu.shares", str(shares)):
        _write(group / "cpu.weight", str(_weight(shares)))


def _weight(shares: int) -> int:
    """The v2 weight (100 is usual) that stands for v1 shares (1024 is usual)."""
    return max(1, shares * 100 // 1024)


def _read(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text(encoding="ascii"))
    return 100


def _write(path: Path, text: str) -> bool:
    """Write to a file that is there; whether the kernel took it."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(fd, text.encode("ascii"))
    except OSError:
        return False
    finally:
        os.close(fd)
    return True
