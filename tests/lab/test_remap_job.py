"""The map of a cell changed by a pod of its own, as it is for a kubectl that cannot exec."""

import json
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.lab
JOB = Path(__file__).parents[2] / "topology/kubernetes/jobs/remap.yaml"


def wait(condition, what, timeout_s, poll_s=0.3):
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(poll_s)
    return value


def remapped(lab, home):
    """Run the pod; what it printed in the end."""
    job = yaml.safe_load(JOB.read_text())
    job["spec"]["containers"][0]["command"][-1] = home
    path = lab.state / "remap.yaml"
    path.write_text(yaml.safe_dump(job))
    made = lab.kubectl("city1", "create", "--validate=false", "-f", str(path), "-o", "name", check=False)
    assert made.returncode == 0, made.stderr
    name = made.stdout.strip()
    phase = ("city1", "-n", "bank", "get", name, "-o", "jsonpath={.status.phase}")
    try:
        wait(lambda: lab.kubectl(*phase).stdout in ("Succeeded", "Failed"), "the pod has ended", 60)
        said = lab.kubectl("city1", "-n", "bank", "logs", name).stdout
        assert lab.kubectl(*phase).stdout == "Succeeded", said
        return json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    finally:
        lab.kubectl("city1", "-n", "bank", "delete", name, "--wait=false")
        path.unlink()


def home_at(lab, edge):
    """Where a gateway behind an edge has the cell."""
    with urllib.request.urlopen(f"http://{lab.endpoints[edge]}/cells", timeout=5) as answer:
        return json.loads(answer.read())["cells"]["cell0"]["home"]


def test_the_map_is_changed_by_a_pod_and_the_gateways_follow(small_lab):
    before = home_at(small_lab, "edge-city1-a")
    other = {"city1-a": "city1-b", "city1-b": "city1-a"}[before]
    first = remapped(small_lab, other)
    try:
        assert (first["cell"], first["home"]) == ("cell0", other)
        for edge in ("edge-city1-a", "edge-city1-b"):
            wait(lambda edge=edge: home_at(small_lab, edge) == other, "the gateways follow", 10)
    finally:
        back = remapped(small_lab, before)
    assert (back["home"], back["version"]) == (before, first["version"] + 1)
