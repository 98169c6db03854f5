"""Named network namespaces: making, removing, joining, and opening sockets inside one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from stormlab import oplock
from stormlab.errors import LabError

T = TypeVar("T")
_DIRECTORY = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def path(name: str) -> Path:
    """The file that holds the namespace open."""
    return _DIRECTORY / name


def exists(name: str) -> bool:
    """Whether it is there and really a namespace: a killed `ip netns add` can leave an empty file."""
    return path(name).exists() and path(name).stat().st_dev != _DIRECTORY.stat().st_dev


def create(name: str) -> None:
    """Make the namespace with its loopback up and without IPv6; what is there already is kept."""
    if not exists(name):
        path(name).unlink(missing_ok=True)
        ip(["netns", "add", name])
    ip(["-n", name, "link", "set", "lo", "up"])
    with contextlib.suppress(
        FileNotFoundError
    ):  # a kernel without IPv6 (ipv6.disable=1) has nothing to turn off
        sysctl(name, {"net/ipv6/conf/all/disable_ipv6": "1", "net/ipv6/conf/default/disable_ipv6": "1"})


def delete(name: str) -> str:
    """Remove the namespace; what is wrong, or nothing when it is gone."""
    if not path(name).exists():
        return ""
    argv = ["ip", "netns", "delete", name]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, pass_fds=oplock.descriptors())
    if path(name).exists() and not exists(name):
        path(name).unlink(missing_ok=True)
    return done.stderr.strip() if path(name).exists() else ""


def ip(arguments: list[str]) -> str:
    """Run `ip`; its output. Raises LabError with what it says when it fails."""
    return _run(["ip", *arguments], None)


def ip_batch(name: str, commands: list[str]) -> None:
    """Run `ip` commands inside a namespace in one process. Raises LabError at the first that fails."""
    _run(["ip", "-n", name, "-batch", "-"], "\n".join(commands) + "\n")


def nft(name: str, rules: str) -> str:
    """Load an nft script inside a namespace as one transaction; its output. Raises LabError."""
    return within(name, lambda: _run(["nft", "-f", "-"], rules))


def _run(argv: list[str], stdin: str | None) -> str:
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, check=False, pass_fds=oplock.descriptors()
        )
    except FileNotFoundError as error:
        raise LabError(f"the program '{argv[0]}' is not installed") from error
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def sysctl(name: str, values: dict[str, str]) -> None:
    """Write values under /proc/sys as seen from inside the namespace."""

    def write() -> None:
        for key, value in values.items():
            Path("/proc/sys", key).write_text(value, encoding="ascii")

    within(name, write)


def join(name: str) -> None:
    """Move the calling thread into the namespace, for good. Raises LabError when there is none."""
    try:
        fd = os.open(path(name), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise LabError(f"network namespace {name}: {error.strerror}") from error
    try:
        if _libc.setns(fd, _CLONE_NEWNET) != 0:
            raise LabError(f"joining network namespace {name}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(fd)


def within(name: str, work: Callable[[], T]) -> T:
    """Run `work` in a thread that has joined the namespace; the caller stays where it is.

    Sockets, device files and child processes that `work` makes belong to the namespace for ever.
    """
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            join(name)
            result.append(work())
        except BaseException as error:  # noqa: BLE001  handed to the caller below
            failure.append(error)

    thread = threading.Thread(target=run, name=f"in {name}")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def socket_in(
    name: str, address: tuple[str, int], kind: socket.SocketKind = socket.SOCK_STREAM
) -> socket.socket:
    """A socket bound to `address` inside the namespace (TCP: listening); usable from any thread."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        if kind == socket.SOCK_STREAM:
            made.listen(1024)
        return made

    return within(name, make)
