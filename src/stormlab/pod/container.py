"""Becoming a container: what a forked child of the shim does until it is the program asked for.

Runs inside the shim's process: standard library only, and little of it.
"""

from __future__ import annotations

import os
import signal

from stormlab.pod import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def enter_cgroup(path: str) -> None:
    """Move the calling process into the group at `path`, made when missing below one that exists.

    Raises OSError when that is gone: a teardown was faster, and nothing may come to life after it.
    """
    if not os.path.isdir(path):  # noqa: PTH112
        os.mkdir(path)  # noqa: PTH102
    join_cgroup(path)


def join_cgroup(path: str) -> None:
    """Move the calling process into a group that exists. Raises OSError when it does not."""
    _write(f"{path}/cgroup.procs", "0")


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def build_root(root: str, steps: list[list[Any]], *, read_only: bool) -> None:
    """Carry out the steps of `rootfs.plan` below `root` and make that the root directory."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("root", root, "tmpfs", 0, "mode=755")
    for verb, path, *rest in steps:
        _STEPS[verb](root + path, *rest)
    kernel.pivot_root(root)
    if read_only:
        kernel.mount("", "/", "", kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY)


def _directory(path: str, mode: int) -> None:
    os.makedirs(path, exist_ok=True)  # noqa: PTH103
    os.chmod(path, mode)  # noqa: PTH101


def _symlink(path: str, target: str) -> None:
    os.symlink(target, path)  # noqa: PTH211


def _bind(path: str, source: str, read_only: bool) -> None:
    if os.path.isdir(source):  # noqa: PTH112
        os.makedirs(path, exist_ok=True)  # noqa: PTH103
    elif not os.path.exists(path):  # noqa: PTH110
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        _write(path, "")
    kernel.bind(source, path, read_only=read_only)


def _mounted(path: str, kind: str, options: str) -> None:
    os.makedirs(path, exist_ok=True)  # noqa: PTH103
    kernel.mount(kind, path, kind, kernel.MS_NOSUID, options)


_STEPS: dict[str, Any] = {
    "dir": _directory,
    "symlink": _symlink,
    "file": _write,
    "bind": _bind,
    "mount": _mounted,
}


def restore_signals() -> None:
    """Undo what Python and the shim did to signals."""
    for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def connect(stdin: int, stdout: int, stderr: int) -> None:
    """Make these descriptors 0, 1 and 2."""
    for number, fd in enumerate((stdin, stdout, stderr)):
        os.dup2(fd, number)


def start(order: dict[str, Any], log: int) -> None:
    """Turn the calling process into the container that `order` describes; does not return.

    Raises OSError with what went wrong; whatever it did until then dies with the process.
    """
    os.setsid()
    restore_signals()
    enter_cgroup(order["cgroup"])
    for group in order["groups"]:
        join_cgroup(group)
    connect(os.open("/dev/null", os.O_RDONLY), log, log)
    build_root(order["root"], order["steps"], read_only=order["read_only"])
    _execute(order, join_user=True)


def execute_in(order: dict[str, Any], pid: int, descriptors: list[int]) -> None:
    """Turn the calling process into a program inside the running container of `pid`; does not return."""
    os.setsid()
    restore_signals()
    enter_cgroup(order["cgroup"])
    for group in order["groups"]:
        join_cgroup(group)
    connect(*descriptors)
    if order.get("tty"):
        import fcntl  # noqa: PLC0415  only for terminals
        import termios  # noqa: PLC0415

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    user_namespace = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    kernel.setns(f"/proc/{pid}/ns/mnt", kernel.CLONE_NEWNS)
    if order["user"]:
        kernel.setns(f"/proc/self/fd/{user_namespace}", kernel.CLONE_NEWUSER)
    os.close(user_namespace)
    _execute(order, join_user=False)


def _execute(order: dict[str, Any], *, join_user: bool) -> None:
    os.chdir(order.get("cwd") or "/")
    if order["capabilities"] is not None:
        kernel.keep_capabilities(order["capabilities"])
    if order["user"] and join_user:
        kernel.become(order["user"], order["group"])
    if not order["reserves"]:
        kernel.refuse_reservation()
    argv = order["argv"]
    try:
        os.execvpe(argv[0], argv, order["env"])  # noqa: S606  a program and its arguments, no shell wanted
    except FileNotFoundError as error:
        raise OSError(f"exec: {argv[0]!r}: executable file not found in $PATH") from error
