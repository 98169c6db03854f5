"""Which `hostPath` volumes there can be: a node of the lab has a disk and control groups of its own, no more."""

from __future__ import annotations

from pathlib import PurePosixPath

GROUPS = "/sys/fs/cgroup"
TYPES = frozenset({"", "DirectoryOrCreate", "Directory", "FileOrCreate", "File"})
_OF_THE_MACHINE = ("/proc", "/sys", "/dev")


def of_the_machine(path: str) -> bool:
    """Whether the path leads to what the lab's nodes do not have one each of."""
    found = PurePosixPath("/", path)
    if found.is_relative_to(GROUPS):
        return False
    # The root would have to show all of them.
    return found == PurePosixPath("/") or any(found.is_relative_to(place) for place in _OF_THE_MACHINE)
