"""A picture of this machine outside every lab: what two pictures do not share, a lab has changed.

Other labs may be up, and other tests run, so what plainly is theirs is left out: namespaces, control groups and mounts
of labs, what lies below directories of tests, and figures that count.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

_COUNTS = re.compile(
    r"fs/(dentry-state|file-nr|inode-nr|inode-state|aio-nr|binfmt_misc/.*|quota/.*)"
    r"|kernel/(ns_last_pid|pty/nr|random/.*|hung_task_detect_count|perf_event_max_sample_rate)"
    r"|net/netfilter/nf_conntrack_count|debug/.*"
)
_LISTEN = "0A"
_OF_TESTS = (f"{tempfile.gettempdir()}/", "/var/lib/stormlab")


def picture(lab):
    """Facts by kind; `lab` is the name of the lab whose traces are to be seen, those of others are left out."""
    return {
        "sysctl": dict(sysctls()),
        "namespace": {name for name in namespaces() if not _of_another(name, "sl-", lab)},
        "link": lines("ip", "-o", "link"),
        "address": lines("ip", "-o", "address"),
        "route": lines("ip", "route", "show", "table", "all") | lines("ip", "rule"),
        "rule": lines("nft", "list", "ruleset"),
        "mount": set(mounts(lab)),
        "group": {path for path in groups() if not _of_another(path.split("/")[-1], "stormlab-", lab)},
        "service": services(),
        "place": set(places()),
    }


def changed(before, after):
    """What differs, one line each: `kind -gone` or `kind +new`."""
    found = []
    for kind, was in before.items():
        now = after[kind]
        if isinstance(was, dict):
            # Tables of the kernel that were loaded meanwhile bring settings of their own.
            found += [
                f"{kind} {key}: {was[key]} -> {now.get(key)}" for key in was if now.get(key) != was[key]
            ]
        else:
            found += [f"{kind} -{one}" for one in sorted(was - now)]
            found += [f"{kind} +{one}" for one in sorted(now - was)]
    return found


def listening(pids):
    """Where these processes listen in this namespace: protocol, address and port as /proc/net has them."""
    inodes = {inode for pid in pids for inode in _sockets(pid)}
    found = set()
    for protocol in ("tcp", "udp", "tcp6", "udp6"):
        for line in Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]:
            fields = line.split()
            waits = fields[3] == _LISTEN if protocol.startswith("tcp") else fields[2].endswith(":0000")
            if waits and fields[9] in inodes:
                found.add(f"{protocol} {fields[1]}")
    return found


def _sockets(pid):
    for place in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            target = str(place.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


def sysctls():
    for directory, _, names in os.walk("/proc/sys"):
        for name in names:
            path = Path(directory, name)
            key = str(path.relative_to("/proc/sys"))
            if _COUNTS.fullmatch(key):
                continue
            try:
                yield key, path.read_text(errors="replace").strip()
            except OSError:
                continue


def namespaces():
    return {line.split()[0] for line in lines("ip", "netns") if line}


def mounts(lab):
    for line in Path("/proc/self/mounts").read_text().splitlines():
        source, place, kind = line.split()[:3]
        if kind == "nsfs":
            continue  # a named namespace is a mount, too
        if not place.startswith(_OF_TESTS) or f"/{lab}/" in place:
            yield f"{source} {place} {kind}"


def groups():
    """Those at the top, and which controllers the root hands on: what is below is its owner's business."""
    for place in (root := Path("/sys/fs/cgroup"), *root.glob("*/")):
        yield from (str(path) for path in place.iterdir() if path.is_dir())
        handed_on = place / "cgroup.subtree_control"
        if place.name in {"cgroup", "unified"} and handed_on.exists():
            yield f"{handed_on}: {handed_on.read_text().strip()}"


def services():
    """Running services, where systemd has them; none of these elsewhere."""
    if not Path("/run/systemd/system").exists():
        return set()
    units = lines("systemctl", "list-units", "--type=service", "--state=running", "--plain", "--no-legend")
    return {unit.split()[0] for unit in units if unit}


def places():
    """What lies where programs leave things for the whole machine."""
    for directory in ("/etc", "/etc/netns", "/run", "/dev", "/dev/net", "/var/lib"):
        if Path(directory).is_dir():
            yield from (str(one) for one in Path(directory).iterdir() if not one.name.startswith("stormlab"))


def lines(*argv):
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return set(re.sub(r"\b\d+sec\b", "", said).splitlines())  # what is left of leases counts down


def _of_another(name, prefix, lab):
    return name.startswith(prefix) and not re.fullmatch(rf"{prefix}{lab}([-.].*)?", name)
