"""Where the lab's volumes of a size lie: in memory, so that they wait for no other user of the machine's disk.

Three databases and four etcd members that in an estate have seven disks would share one here, and a commit of any
of them would wait for whatever else is flushed: a git commit beside a drill held all payments for 1.4 s. What a
process flushed outlives the process as on a disk; it does not outlive the machine, nor does the lab.

Each volume is a file system of its own, as large as it is said to be, which takes what is written to it and no more.
All are mounted below one directory whose mounts reach the pods that run already.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from stormlab.errors import LabError
from stormlab.inventory import Inventory
from stormlab.pod import kernel

DIRECTORY = "volumes"
OF_PODS = ".pods"
"""Below it the volumes that end with their pod; beside it, by region, those of claims."""
SIZE_MB = 4096
"""The most that one volume takes, whatever its size is said to be: it is the machine's memory."""
_PAGE = 4096
_KIND = "stormlab"


def make(state: Path, inventory: Inventory) -> None:
    """Mount the space, recorded first; nothing to do when it is mounted. Raises LabError when that fails.

    What lies there already is kept where it is.
    """
    place = state / DIRECTORY
    place.mkdir(mode=0o700, exist_ok=True)
    if not os.path.ismount(place):
        inventory.add("mount", place)
        with _as_lab_error(place):
            if any(place.iterdir()):
                kernel.mount(str(place), str(place), "", kernel.MS_BIND)
            else:
                _tmpfs(place, SIZE_MB << 20, "0700")
    with _as_lab_error(place):
        kernel.mount("none", str(place), "", kernel.MS_SHARED)


def mount(place: Path, size: int, inventory: Inventory, *, mode: str = "0755") -> int:
    """Have a file system of `size` bytes at `place`, below the space, or of `SIZE_MB` if that is less; its size.

    One that is there already keeps its content and takes the new size; a directory with files stays as it is.
    Raises LabError.
    """
    size = max(_PAGE, min(-(-size // _PAGE) * _PAGE, SIZE_MB << 20))
    place.mkdir(parents=True, exist_ok=True)
    with _locked(place.parent), _as_lab_error(place):
        if os.path.ismount(place):
            if _size(place) != size:
                flags = kernel.MS_REMOUNT | kernel.MS_NOSUID | kernel.MS_NODEV
                kernel.mount(_KIND, str(place), "tmpfs", flags, f"size={size}")
        elif not any(place.iterdir()):
            inventory.add("mount", place)
            _tmpfs(place, size, mode)
    return size


def unmount(place: Path, inventory: Inventory) -> None:
    """Remove a volume with what is in it; harmless when it is not there. Raises LabError."""
    with _as_lab_error(place):
        if os.path.ismount(place):
            kernel.detach(str(place))
            inventory.gone("mount", place)


def remove_of_pod(state: Path, uid: str, inventory: Inventory) -> None:
    """Remove what `mount` made in the pod's own directory, `of_pod`. Raises LabError."""
    directory = of_pod(state, uid)
    with contextlib.suppress(FileNotFoundError):
        for entry in sorted(directory.iterdir()):
            unmount(entry, inventory)
            entry.rmdir()
        directory.rmdir()


def of_pod(state: Path, uid: str) -> Path:
    """Directory of the volumes that end with a pod."""
    return state / DIRECTORY / OF_PODS / uid


def _tmpfs(place: Path, size: int, mode: str) -> None:
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount(_KIND, str(place), "tmpfs", flags, f"size={size},mode={mode}")


def _size(place: Path) -> int:
    found = os.statvfs(place)
    return found.f_blocks * found.f_frsize


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Two nodes of a region may come to the same claim at once."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def _as_lab_error(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LabError(f"volume {place}: {error}") from error
