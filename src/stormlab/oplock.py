"""One `up` or `down` at a time per lab: a lock that leaves nothing behind, not even after SIGKILL."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from stormlab.errors import LabError
from stormlab.wait import WaitTimeoutError, until


@contextlib.contextmanager
def held(lab: str, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold the lab's lock, an abstract socket name that the kernel frees with the process.

    Raises LabError when another process holds it for longer than `timeout_s`.
    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        until(lambda: _bound(lock, lab), "the lock", timeout_s)
    except WaitTimeoutError as error:
        lock.close()
        raise LabError(f"another `up` or `down` of lab '{lab}' is at work") from error
    try:
        yield
    finally:
        lock.close()


def _bound(lock: socket.socket, lab: str) -> bool:
    try:
        lock.bind(f"\0stormlab/{lab}")
    except OSError:
        return False
    return True
