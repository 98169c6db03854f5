"""System calls of the shim that Python 3.11 does not offer: namespaces, mounts, capabilities.

Imported by the shim, which runs without site-packages: standard library only, and little of it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC = 4096, 16384
MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 18, 1 << 19, 1 << 20
MNT_DETACH = 2
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_SYS_FALLOCATE = {"x86_64": (0xC000003E, 285), "aarch64": (0xC00000B7, 47)}
"""The architecture as filters of system calls see it, and the number of the call there."""
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # of the kernel's packet filter
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER = 1, 15, 24, 36
_LAST_CAPABILITY = 40

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces in `flags` for new ones."""
    _check(_libc.unshare(flags), "unshare")


def setns(path: str, kind: int) -> None:
    """Join the namespace that the file `path` stands for."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(fd, kind), f"setns {path}")
    finally:
        os.close(fd)


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """Mount, as the system call of that name does. Raises OSError."""
    arguments = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _check(_libc.mount(*arguments), f"mount {kind or source} on {target}")


def bind(source: str, target: str, *, read_only: bool) -> None:
    """Make `source` appear at `target`, without what is mounted below it."""
    mount(source, target, "", MS_BIND)
    if read_only:
        mount("", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY)


def detach(target: str) -> None:
    """Unmount `target` and all below it, at once for us and later for whoever still uses it."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def pivot_root(new: str) -> None:
    """Make `new` (a mount point) the root directory and let go of the old one."""
    os.chdir(new)
    old = os.path.join(new, ".old")  # noqa: PTH118  pathlib costs the shim 3 ms
    os.mkdir(old)  # noqa: PTH102
    number = _SYS_PIVOT_ROOT[os.uname().machine]
    _check(_libc.syscall(ctypes.c_long(number), new.encode(), old.encode()), "pivot_root")
    os.chdir("/")
    detach("/.old")
    os.rmdir("/.old")  # noqa: PTH106


def keep_capabilities(kept: list[int]) -> None:
    """Give up all other capabilities, for this process and all it becomes."""
    for capability in range(_LAST_CAPABILITY + 1):
        if capability not in kept:
            _check(_libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0), "drop capability")


def rename(name: str) -> None:
    """Give the calling process the name that lists of processes show (at most 15 bytes)."""
    _check(_libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0), "name process")


def die_with(parent: int) -> None:
    """Have the calling process killed when its parent ends, which is `parent` unless that is gone already.

    Holds until it becomes another program of other rights; its own children are not concerned. Raises OSError when
    the parent is gone.
    """
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "die with parent")
    if os.getppid() != parent:
        raise ProcessLookupError(f"process {parent}, which began this, is gone")


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs, as the first process of a PID namespace is anyway."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "adopt orphans")


def become(user: int, group: int) -> None:
    """Become `user` in a user namespace where that is the name of the machine's root.

    The process loses every capability at exec, yet reads and owns the files root has: PostgreSQL
    refuses to run as root, and a Python environment in the home of root must stay readable.
    """
    unshare(CLONE_NEWUSER)
    for name, content in (("setgroups", "deny"), ("uid_map", f"{user} 0 1"), ("gid_map", f"{group} 0 1")):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, content.encode())
        finally:
            os.close(fd)


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("yes", ctypes.c_uint8),
        ("no", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("first", ctypes.POINTER(_Instruction)))


def refuse_reservation() -> None:
    """Have `fallocate` fail as on a file system that cannot reserve room, for this process and all it becomes.

    Programs then lengthen a file without taking room for it, or write it. They gain no privileges by exec any more.
    """
    architecture, number = _SYS_FALLOCATE[os.uname().machine]
    steps = (
        (_LOAD, 0, 0, 4),
        (_JUMP_IF_EQUAL, 0, 3, architecture),
        (_LOAD, 0, 0, 0),
        (_JUMP_IF_EQUAL, 0, 1, number),
        (_RETURN, 0, 0, _ERRNO | errno.EOPNOTSUPP),
        (_RETURN, 0, 0, _ALLOW),
    )
    filters = (_Instruction * len(steps))(*(_Instruction(*step) for step in steps))
    program = _Program(len(steps), filters)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "give up new privileges")
    _check(_libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0), "filter system calls")
