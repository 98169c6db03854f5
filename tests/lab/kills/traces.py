"""What a drill that was killed has left, as sentences: asked of the kernel and of the API, never of the harness."""

import json
import os
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

REGIONS = {"city1": ("city1-a", "city1-b", "city1-w"), "city2": ("city2-a",)}
ZONES = tuple(zone for zones in REGIONS.values() for zone in zones)
MARK = "STORMDRILL_TEST_RUN"
"""Set in the environment of a harness; all that it starts has it, too."""
_PATHS = ("tcp-held", "tcp-new", "udp")
_OVER = ("reverted", "failed")


def namespaces() -> set[str]:
    """Every named network namespace of this machine."""
    listed = subprocess.run(["ip", "netns"], check=True, capture_output=True, text=True).stdout
    return {line.split()[0] for line in listed.splitlines()}


def tables(lab) -> list[str]:
    """Rules of faults; the agent's own table hurts nobody."""
    found = []
    for zone in ZONES:
        argv = ["ip", "netns", "exec", f"sl-{lab.name}-{zone}", "nft", "list", "tables"]
        listed = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
        names = {line.split()[-1] for line in listed if "stormdrill" in line} - {"stormdrill-agent"}
        found += [f"{zone}: table {name}" for name in sorted(names)]
    return found


def faults(lab) -> list[str]:
    """Fault objects of which something may be on a node."""
    found = []
    for region in REGIONS:
        for one in _items(lab, region, "faults", "-n", "stormdrill"):
            nodes = (one.get("status") or {}).get("nodes") or {}
            states = {t["node"]: nodes.get(t["node"], {}).get("state") for t in one["spec"]["targets"]}
            found += [
                f"{region}: {one['metadata']['name']} is {state} on {node}"
                for node, state in states.items()
                if state not in _OVER
            ]
    return found


def objects(lab) -> list[str]:
    """Fault objects and drill locks of any state."""
    kinds = (("faults", "stormdrill"), ("leases", "bank"))
    return [
        f"{region}: {kind} {one['metadata']['name']}"
        for region in REGIONS
        for kind, namespace in kinds
        for one in _items(lab, region, kind, "-n", namespace)
        if kind == "faults" or one["metadata"]["name"] == "stormdrill"
    ]


def taints(lab) -> list[str]:
    """Taints of nodes, whoever made them: no fault here lasts until a node is taken for lost."""
    return [
        f"{node['metadata']['name']}: taint {taint}"
        for region in REGIONS
        for node in _items(lab, region, "nodes")
        for taint in node["spec"].get("taints") or ()
    ]


def processes(run: str) -> list[str]:
    """Processes that a harness started, or is."""
    wanted, found = f"{MARK}={run}".encode(), []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(f"process {entry.name}: {(entry / 'comm').read_text().strip()}")
        except OSError:
            continue
    return found


def red(lab) -> list[str]:
    """Flows between zones that a canary does not see working."""
    query = urllib.parse.urlencode({"query": "stormdrill_canary_up"})
    with urllib.request.urlopen(
        f"http://{lab.endpoints['prometheus']}/api/v1/query?{query}", timeout=5
    ) as answer:
        rows = json.loads(answer.read())["data"]["result"]
    up = {(r["metric"]["zone"], r["metric"]["peer"], r["metric"]["path"]): r["value"][1] for r in rows}
    flows = [(a, b, path) for a in ZONES for b in ZONES if a != b for path in _PATHS]
    return [f"{a} to {b} ({path})" for a, b, path in flows if up.get((a, b, path)) != "1"]


def agent(lab, zone: str) -> list[int]:
    """The processes of the agent in a zone."""
    region = next(name for name, zones in REGIONS.items() if zone in zones)
    (pod,) = [
        one for one in _items(lab, region, "pods", "-n", "stormdrill", "-l", "app=agent")
        if one["spec"]["nodeName"].endswith(zone)
    ]  # fmt: skip
    groups = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]
    for root in groups:
        group = root / f"stormlab-{lab.name}" / zone / "kubepods" / f"pod{pod['metadata']['uid']}" / "agent"
        if (group / "cgroup.procs").exists():
            return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    raise AssertionError(f"the agent of {zone} has no control group")


def environment(run: str) -> dict[str, str]:
    """For a harness whose processes can be told from others."""
    return {**os.environ, MARK: run}


def _items(lab, region: str, *what: str) -> list[dict]:
    return json.loads(lab.kubectl(region, "get", *what, "-o", "json").stdout)["items"]
