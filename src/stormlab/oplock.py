"""One `up` or `down` at a time per lab: a lock that leaves nothing behind, not even after SIGKILL.

What an `up` or `down` runs (`ip`, `mount`, a daemon until it is on record) holds the lock, too, and may outlive it: who
comes after one that was killed begins only when nothing of it can change the machine any more.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

from stormlab.errors import LabError
from stormlab.wait import WaitTimeoutError, until

WAIT_S = 60.0
"""How long `up` and `down` wait for another: longer than either takes, one left behind by a killed harness too."""

_held: list[int] = []
"""Descriptors of the locks that this process holds."""


def descriptors() -> tuple[int, ...]:
    """For a program that is run in this process's stead: while it has these, the lock is held (`pass_fds`)."""
    return tuple(_held)


@contextlib.contextmanager
def held(lab: str, say: Callable[[str], None], timeout_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lab's lock, an abstract socket name that the kernel frees with the process.

    `say` is told when another process holds it; LabError when it does so for longer than `timeout_s`.
    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    busy = f"another `up` or `down` of lab '{lab}' is at work"
    try:
        if not _bound(lock, lab):
            say(f"{busy}: waiting for its end, at most {timeout_s:g} s")
            until(lambda: _bound(lock, lab), "the lock", timeout_s)
    except WaitTimeoutError as error:
        lock.close()
        raise LabError(f"{busy} for more than {timeout_s:g} s") from error
    _held.append(lock.fileno())
    try:
        yield
    finally:
        _held.remove(lock.fileno())
        lock.close()


def _bound(lock: socket.socket, lab: str) -> bool:
    try:
        lock.bind(f"\0stormlab/{lab}")
    except OSError:
        return False
    return True
