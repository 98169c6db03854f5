"""What a lab left on the machine, asked of the kernel and not of its inventory."""

import subprocess
from pathlib import Path

_HIERARCHIES = Path("/sys/fs/cgroup")


def leftovers_of(name: str, state: Path) -> list[str]:
    """One line for each namespace (and with it its links), control group, mount, process and directory."""
    found = [f"netns {line.split()[0]}" for line in _lines("ip", "netns") if line.startswith(f"sl-{name}-")]
    groups = groups_of(name)
    places = [_HIERARCHIES, *_HIERARCHIES.glob("*/")]
    found += [f"cgroup {place / group}" for place in places for group in groups if (place / group).exists()]
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    found += [f"mount {line}" for line in mounts if f"{state}/" in line or f"sl-{name}-" in line]
    found += [f"process {pid}" for pid in _processes(groups, state)]
    if state.exists():
        found.append(f"state {state}")
    return found


def groups_of(name: str) -> set[str]:
    """The control groups of a lab, in each hierarchy."""
    return {f"stormlab-{name}", f"stormlab-{name}.daemons"}


def _processes(groups: set[str], state: Path) -> list[str]:
    """Pids that name the lab's state directory on their command line or live in its control groups."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            within = {
                part for line in (entry / "cgroup").read_text().splitlines() for part in line.split("/")
            }
            state_letter = (entry / "stat").read_text().rpartition(") ")[2][0]
        except OSError:
            continue
        if state_letter in "ZX":  # dead, not yet collected by the machine's init
            continue
        daemon = command and f"{state}/" in f"{command.strip()} ".replace(f"{state} ", f"{state}/")
        if daemon or within & groups:
            found.append(f"{entry.name} {command}")
    return found


def _lines(*argv: str) -> list[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
