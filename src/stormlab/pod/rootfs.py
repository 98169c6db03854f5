"""The plan of a container's root directory: programs of this machine read-only, everything else its own.

Pure: from what the container needs and what the machine has to a list of steps, which
`container.build_root` carries out in a fresh tmpfs. A step is [verb, path, ...]:
dir(mode), symlink(target), file(content), bind(source, read_only), mount(kind, options).
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import stormlab

Step = list[Any]

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt")
_ETC = ("ssl", "ld.so.cache", "localtime", "alternatives", "services", "protocols", "ca-certificates")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_VAR_RUN = re.compile(r"^/var/run(?=/|$)")
_NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"


@dataclass(frozen=True)
class Mount:
    """A directory or file of this machine at a place in the container."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Identity:
    """Who and where a container is, as its private /etc says."""

    hostname: str
    domain: str
    """Full name of the pod behind the host name, empty when it has none."""
    address: str
    user: int
    group: int
    nameserver: str
    search: tuple[str, ...]
    aliases: tuple[tuple[str, ...], ...] = ()
    """Further lines of /etc/hosts: an address and its names."""


def program_directories(image_path: Iterable[str] = ()) -> list[str]:
    """Directories of this machine that programs in a container may need, none inside another."""
    source_tree = str(Path(stormlab.__file__).resolve().parent.parent)
    wanted = [*_SYSTEM, sys.base_prefix, sys.prefix, source_tree, *image_path]
    found: list[str] = []
    for place in sorted(set(wanted), key=len):
        if os.path.lexists(place) and not any(place.startswith(f"{other}/") for other in found):
            found.append(place)
    return found


def plan(identity: Identity, mounts: Sequence[Mount], image_path: Iterable[str] = ()) -> list[Step]:
    """The steps that make a container's root directory."""
    # /var/run is a link to /run: followed while the root is made, it would lead out of it.
    mounts = [replace(mount, target=_VAR_RUN.sub("/run", mount.target)) for mount in mounts]
    targets = [mount.target for mount in mounts]
    steps: list[Step] = []
    for place in program_directories(image_path):
        steps += _program(place, targets)
    steps += _etc(identity)
    steps += _system()
    # Outer mounts first, or they would hide the inner ones.
    ordered = sorted(mounts, key=lambda mount: mount.target.count("/"))
    steps += [["bind", mount.target, mount.source, mount.read_only] for mount in ordered]
    return steps


def _program(place: str, targets: Sequence[str]) -> list[Step]:
    """`place` read-only; where a mount's target is missing below it, its children one by one instead."""
    path = Path(place)
    if path.is_symlink():
        return [["symlink", place, str(path.readlink())]]
    inside = [target for target in targets if target.startswith(f"{place}/")]
    if all(os.path.lexists(target) for target in inside):
        return [["bind", place, place, True]]
    steps: list[Step] = [["dir", place, 0o755]]
    for child in sorted(path.iterdir()):
        steps += _program(str(child), inside)
    return steps


def _etc(identity: Identity) -> list[Step]:
    names = " ".join(name for name in (identity.domain, identity.hostname) if name)
    hosts = [("127.0.0.1", "localhost"), (identity.address, names), *identity.aliases]
    users = ["root:x:0:0:root:/root:/bin/sh", "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"]
    groups = ["root:x:0:", "nogroup:x:65534:"]
    if identity.user not in (0, 65534):
        users.append(f"app:x:{identity.user}:{identity.group}:app:/home/app:/bin/sh")
    if identity.group not in (0, 65534):
        groups.append(f"app:x:{identity.group}:")
    files = {
        "passwd": "\n".join(users) + "\n",
        "group": "\n".join(groups) + "\n",
        "hostname": f"{identity.hostname}\n",
        "hosts": "".join(f"{' '.join(line)}\n" for line in hosts),
        "nsswitch.conf": _NSSWITCH,
        # One second, not the usual five: the server is the own node, and drills restart it.
        "resolv.conf": f"nameserver {identity.nameserver}\nsearch {' '.join(identity.search)}\n"
        "options ndots:5 timeout:1 attempts:3\n",
    }
    steps: list[Step] = [["dir", "/etc", 0o755], ["dir", "/root", 0o700], ["dir", "/home/app", 0o755]]
    steps += [["file", f"/etc/{name}", content] for name, content in files.items()]
    for name in _ETC:
        place = Path("/etc", name)
        if place.is_symlink():
            steps.append(["symlink", str(place), str(place.readlink())])
        elif place.exists():
            steps.append(["bind", str(place), str(place), True])
    return steps


def _system() -> list[Step]:
    steps: list[Step] = [["dir", path, 0o1777] for path in ("/tmp", "/var/tmp")]  # noqa: S108
    steps += [["dir", path, 0o755] for path in ("/run", "/run/lock", "/var/lib", "/var/log", "/var/cache")]
    steps += [["symlink", "/var/run", "/run"], ["mount", "/proc", "proc", ""], ["dir", "/dev", 0o755]]
    steps += [["bind", f"/dev/{name}", f"/dev/{name}", False] for name in _DEVICES if _is_device(name)]
    steps += [
        ["mount", "/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=620"],
        ["mount", "/dev/shm", "tmpfs", "mode=1777"],  # noqa: S108
        ["symlink", "/dev/ptmx", "pts/ptmx"],
        ["symlink", "/dev/fd", "/proc/self/fd"],
        ["symlink", "/dev/stdin", "/proc/self/fd/0"],
        ["symlink", "/dev/stdout", "/proc/self/fd/1"],
        ["symlink", "/dev/stderr", "/proc/self/fd/2"],
        ["bind", "/sys", "/sys", True],
    ]
    return steps


def _is_device(name: str) -> bool:
    try:
        return stat.S_ISCHR(Path("/dev", name).stat().st_mode)
    except OSError:
        return False
