"""What must hold before `up` makes anything: everything that is wrong at once, nothing left behind."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from stormlab import cgroup, daemons, partyprocess, prometheus
from stormlab.errors import BadInputError, LabError
from stormlab.estate import Estate
from stormlab.inventory import Inventory
from stormlab.manifests import Object, programs
from stormlab.net import netns

_KERNEL = (5, 14)
"""cgroup.kill appeared here."""
_FREE_BYTES = 1024**3
_MEMORY_BYTES = 3 * 1024**3
"""Processes up to 2.4 GB (preset `full`), volumes 0.3 GB at first and up to 1 in an hour of drills."""
# program: the Debian package that brings it
_TOOLS = {
    "ip": "iproute2",
    "nft": "nftables",
    "kubectl": "kubernetes-client",
    "haproxy": "haproxy",
    "prometheus": "prometheus",
    "nsenter": "util-linux",
    "mount": "mount",
}


def problems(estate: Estate, state: Path, objects: Mapping[str, list[Object]]) -> list[str]:
    """One line for each reason why the lab cannot come up here; empty when it can."""
    found = [
        *_rights(),
        *_tools(estate),
        *_prometheus(estate),
        *_programs(estate, objects),
        *_parties(estate),
    ]
    found += [*_kernel(), *_space(state)]
    if os.geteuid() == 0:  # these read the state of a lab that may be there, which is root's
        found += [*_ports(estate, state), *_memory(estate, state), *_foreign_namespaces(estate, state)]
    return found


def _rights() -> Iterator[str]:
    if os.geteuid() != 0:
        yield "the lab makes network devices and control groups: run it as root (sudo)"
        return
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        yield f"/dev/net/tun: {error.strerror}; the links between zones are TUN devices (modprobe tun)"


def _kernel() -> Iterator[str]:
    release = os.uname().release
    try:
        version = tuple(int(part) for part in release.split(".")[:2])
    except ValueError:
        version = _KERNEL
    if version < _KERNEL:
        yield f"kernel {release}: pods are killed through cgroup.kill, which needs 5.14 or later"
    try:
        for root in filter(None, (cgroup.v2_root(), cgroup.v1_cpu_root())):
            if os.geteuid() == 0 and not os.access(root, os.W_OK):
                yield f"{root}: not writable; the lab needs control groups of its own"
    except LabError as error:
        yield str(error)
    limit = Path("/proc/sys/user/max_user_namespaces")
    if limit.exists() and limit.read_text(encoding="ascii").strip() == "0":
        yield f"{limit} is 0: pods that do not run as root need user namespaces"


def _tools(estate: Estate) -> Iterator[str]:
    needed = dict(_TOOLS)
    if estate.preset.prometheus is None:
        del needed["prometheus"]
    if not estate.forwards:
        del needed["haproxy"]
    for program, package in needed.items():
        if shutil.which(program) is None:
            yield f"the program '{program}' is missing (Debian package {package})"


def _prometheus(estate: Estate) -> Iterator[str]:
    """What is wrong with its template, which is rendered only when the networks are there."""
    try:
        if estate.preset.prometheus is not None:
            prometheus.text(estate, estate.preset.prometheus, Path("/"))
    except BadInputError as error:
        yield from error.problems


def _programs(estate: Estate, objects: Mapping[str, list[Object]]) -> Iterator[str]:
    """Containers whose image or program this machine does not have."""
    seen: set[tuple[str, str | None]] = set()
    for region, parts in objects.items():
        for item in programs(region, parts):
            if (item.image, item.program) in seen:
                continue
            seen.add((item.image, item.program))
            image = estate.images.get(item.image)
            if image is None:
                yield f"{item.where}: image '{item.image}' is not in lab.images of {estate.source}"
            elif item.program is not None and shutil.which(item.program, path=_path(image.path)) is None:
                yield f"{item.where}: image '{item.image}': the program '{item.program}' is missing"


def _parties(estate: Estate) -> Iterator[str]:
    """Programs outside every site that this machine does not have."""
    for party in estate.preset.outside:
        if shutil.which(party.command[0], path=partyprocess.path(estate, party)) is None:
            yield f"lab.outside: {party.name}: the program '{party.command[0]}' is missing"


def _path(extra: tuple[str, ...]) -> str:
    own = str(Path(sys.executable).parent)
    return ":".join((*extra, own, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))


def _ports(estate: Estate, state: Path) -> Iterator[str]:
    """Loopback ports that somebody else has."""
    ours = daemons.running(Inventory(state), daemons.wanted(estate, state)) if state.exists() else {}
    for region in estate.regions:
        if f"api-{region.name}" not in ours and not _free(region.api_port):
            yield f"port 127.0.0.1:{region.api_port} is taken (API of {region.name})"
    for forward in estate.forwards:
        if "forwards" not in ours and not _free(forward.listen):
            yield f"port 127.0.0.1:{forward.listen} is taken (forward {forward.name})"


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _space(state: Path) -> Iterator[str]:
    place = next(parent for parent in (state, *state.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if free < _FREE_BYTES:
        yield f"{place}: {free // 1024**2} MiB free, the lab needs {_FREE_BYTES // 1024**2}"


def _memory(estate: Estate, state: Path) -> Iterator[str]:
    if state.exists() and daemons.running(Inventory(state), daemons.wanted(estate, state)):
        return  # what it needs it has
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    available = next(
        (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), _MEMORY_BYTES
    )
    if available < _MEMORY_BYTES:
        yield f"{available // 1024**2} MiB of memory available, the lab needs {_MEMORY_BYTES // 1024**2}"


def _foreign_namespaces(estate: Estate, state: Path) -> Iterator[str]:
    """Namespaces of our names that our inventory does not list: another lab of this name, elsewhere."""
    ours = {item.name for item in Inventory(state).of_kind("netns")} if state.exists() else set()
    for site in estate.sites:
        if netns.exists(site.netns) and site.netns not in ours:
            yield (
                f"network namespace {site.netns} exists and is not in {state}: another lab named "
                f"'{estate.name}' with its state elsewhere ({site.name})"
            )
