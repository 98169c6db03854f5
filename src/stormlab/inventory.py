"""What the lab made on this machine: an append-only file, written before each thing is made.

Teardown removes exactly what the file lists, in an order that works whatever half-finished state a
SIGKILL left behind. Records are JSON lines; a torn last line (killed while writing) means that the
thing was not made yet. Several processes append to the same file, under a lock.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from stormlab.errors import LabError

Kind = Literal["process", "cgroup", "mount", "netns", "dir", "file"]
FILE = "inventory"
_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}


@dataclass(frozen=True)
class Item:
    """One thing of this machine. `name` identifies it: a path, a namespace's name, `pid:start-time`."""

    kind: Kind
    name: str
    note: str = ""
    boot: str = field(default="", compare=False)
    """Boot id under which it was made: processes and namespaces do not survive a reboot."""


def boot_id() -> str:
    """Identity of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class Inventory:
    """The record of one lab, in its state directory."""

    def __init__(self, state: Path | str) -> None:
        self.state = Path(state)
        self.path = self.state / FILE

    def add(self, kind: Kind, name: str | Path, note: str = "") -> None:
        """Record that the caller is about to make something. Recording it twice is harmless.

        Raises OSError when the record is not on the disk as a whole: then nothing may be made.
        """
        self._append({"add": kind, "name": str(name), "note": note, "boot": boot_id()})

    def gone(self, kind: Kind, name: str | Path) -> None:
        """Record that something has been removed; only after it is really gone."""
        self._append({"gone": kind, "name": str(name)})

    def items(self) -> list[Item]:
        """What is still there according to the file, oldest first.

        Raises LabError when the file holds something this version does not understand: removing
        half of somebody's list would be worse than stopping.
        """
        found: dict[tuple[str, str], Item] = {}
        for record in self._records():
            kind = _KINDS.get(record.get("add") or record.get("gone") or "")
            if kind is None:
                raise LabError(f"{self.path}: unknown kind of thing: {record}")
            found.pop((kind, record["name"]), None)
            if "add" in record:
                item = Item(kind, record["name"], record.get("note", ""), record.get("boot", ""))
                found[kind, item.name] = item
        return list(found.values())

    def of_kind(self, kind: Kind) -> list[Item]:
        """The items of one kind, oldest first."""
        return [item for item in self.items() if item.kind == kind]

    def _records(self) -> Iterator[dict[str, str]]:
        with contextlib.suppress(FileNotFoundError):
            for line in self.path.read_bytes().splitlines():
                with contextlib.suppress(ValueError):
                    record = json.loads(line)
                    if isinstance(record, dict) and isinstance(record.get("name"), str):
                        yield record

    def _append(self, record: dict[str, str]) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":
                line = b"\n" + line
            if os.write(fd, line) != len(line):
                raise OSError(errno.ENOSPC, "no room for a record as a whole", str(self.path))
        finally:
            os.close(fd)
