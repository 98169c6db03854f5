"""Processes of the lab: known by pid and start time, recorded by themselves before they become anything."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stormlab.cgroup import DAEMONS
from stormlab.inventory import Inventory


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same pid."""

    pid: int
    start_ticks: int
    """Start time in clock ticks since boot (field 22 of /proc/<pid>/stat)."""

    def __str__(self) -> str:
        return f"{self.pid}:{self.start_ticks}"

    @classmethod
    def parse(cls, text: str) -> ProcessId:
        """Inverse of str()."""
        pid, _, ticks = text.partition(":")
        return cls(int(pid), int(ticks))

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process that has this pid now, None when there is none (a zombie counts as none)."""
        found = _stat(pid)
        return None if found is None or found[0] in "ZX" else cls(pid, found[1])

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessId.of(self.pid) == self

    def pidfd(self) -> int | None:
        """A pidfd of this process (the caller closes it), None when it is gone."""
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        if self.alive:
            return fd
        os.close(fd)
        return None

    def signal(self, number: int) -> bool:
        """Send a signal; whether the process was there to get it."""
        fd = self.pidfd()
        if fd is None:
            return False
        try:
            signal.pidfd_send_signal(fd, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(fd)
        return True

    def wait_gone(self, timeout_s: float) -> bool:
        """Wait until the process has ended, at most `timeout_s`; whether it has."""
        fd = self.pidfd()
        if fd is None:
            return True
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            return bool(poll.poll(max(0.0, timeout_s) * 1000)) or not self.alive
        finally:
            os.close(fd)


def _stat(pid: int) -> tuple[str, int] | None:
    """State letter and start time of whatever has this pid, zombies included."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def start(
    inventory: Inventory,
    name: str,
    argv: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> ProcessId:
    """Start a daemon in its own session, output appended to `log`, recorded as `name`.

    It joins the lab's group for daemons, if there is one: its children die with a teardown too.

    The child writes its own record between fork and exec, so a SIGKILL of the caller at any moment
    leaves either no child or a recorded one. Raises OSError when the program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)

    groups = [Path(item.name) for item in inventory.of_kind("cgroup") if item.note == DAEMONS]
    why, tell = os.pipe()

    def record() -> None:
        try:
            inventory.add("process", str(ProcessId.of(os.getpid())), name)
            for group in groups:
                with contextlib.suppress(FileNotFoundError):
                    (group / "cgroup.procs").write_text("0", encoding="ascii")
        except Exception as error:  # the parent only hears that there was one
            os.write(tell, str(error).encode())
            raise

    try:
        with log.open("ab") as output:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=record,  # noqa: PLW1509  the callers of this have no threads
                env=dict(environment) if environment is not None else None,
            )
    except subprocess.SubprocessError as error:
        raise OSError(errno.ECHILD, f"not started: {os.read(why, 4096).decode()}") from error
    finally:
        os.close(why)
        os.close(tell)
    found = ProcessId.of(child.pid)
    return found or ProcessId(child.pid, 0)


def find(inventory: Inventory, name: str) -> ProcessId | None:
    """The running process recorded under `name`, None when there is none."""
    for item in reversed(inventory.of_kind("process")):
        process = ProcessId.parse(item.name)
        if item.note == name and process.alive:
            return process
    return None


def stop(processes: Sequence[ProcessId], grace_s: float) -> list[ProcessId]:
    """SIGTERM all, after `grace_s` SIGKILL the rest; the ones that would not even then die in 2 s."""
    if grace_s > 0:
        for process in processes:
            process.signal(signal.SIGTERM)
        _wait_all(processes, grace_s)
    for process in processes:
        process.signal(signal.SIGKILL)
    _wait_all(processes, 2.0)
    for process in processes:
        if _stat(process.pid) == ("Z", process.start_ticks):  # not a later child with the same pid
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)
    return [process for process in processes if process.alive]


def _wait_all(processes: Sequence[ProcessId], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    for process in processes:
        process.wait_gone(deadline - time.monotonic())
