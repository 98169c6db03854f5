"""Who holds something: a process on a host, recognisable after its death even if its pid was given again."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Holder:
    """A process. `boot` and `started` (clock ticks since boot) tell a re-used pid from the same process.

    `host` is the host's name with its PID namespace: two containers of one machine cannot judge each other.
    """

    host: str
    boot: str
    pid: int
    started: int

    @classmethod
    def me(cls) -> Holder:
        """This process."""
        return cls(_host(), _boot(), os.getpid(), _started(os.getpid()) or 0)

    @classmethod
    def parse(cls, text: str) -> Holder | None:
        """Read `str(holder)` back; None for an identity somebody else's program wrote."""
        parts = text.rsplit("/", 3)
        if len(parts) != 4 or not (parts[2].isdigit() and parts[3].isdigit()):
            return None
        return cls(parts[0], parts[1], int(parts[2]), int(parts[3]))

    def __str__(self) -> str:
        return f"{self.host}/{self.boot}/{self.pid}/{self.started}"

    def known_dead(self) -> bool:
        """True only when this machine can prove that the process is gone; False when it cannot know."""
        if self.host != _host():
            return False
        return self.boot != _boot() or _started(self.pid) != self.started

    def known_alive(self) -> bool:
        """True only when this machine can see the process; False when it cannot know."""
        return self.host == _host() and not self.known_dead()


def _host() -> str:
    namespace = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - a link into nsfs: stat follows it
    return f"{socket.gethostname()}:{namespace}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
