"""Up and down of a lab, also after SIGKILL at any moment: nothing is made twice, nothing stays."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab
TOPOLOGY = Path(__file__).parent / "tiny" / "topology.yaml"
# The same every time: what a killed test run left there is found and taken down by the next.
STATES = Path("/var/lib/stormlab-tests")


class Tiny:
    """The tiny lab with a state directory of its own."""

    def __init__(self, leftovers):
        self.state = STATES / "tiny"
        self._leftovers = leftovers
        self.environment = {**os.environ, "STORMLAB_STATE": str(STATES)}

    def start(self, command, *arguments):
        argv = [sys.executable, "-m", "stormlab", command, "--topology", str(TOPOLOGY), *arguments]
        return subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment
        )

    def run(self, command, *arguments):
        process = self.start(command, *arguments)
        out, err = process.communicate(timeout=90)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def up(self):
        done = self.run("up", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def down(self):
        done = self.run("down")
        assert done.returncode == 0, done.stderr
        assert self.leftovers() == []

    def status(self):
        return json.loads(self.run("status", "--json").stdout)

    def leftovers(self):
        return self._leftovers("tiny", self.state)


@pytest.fixture
def tiny(leftovers):
    lab = Tiny(leftovers)
    lab.down()
    yield lab
    lab.down()
    with contextlib.suppress(OSError):  # another lab is still there
        STATES.rmdir()


def answer():
    connection = http.client.HTTPConnection("127.0.0.1", 28490, timeout=5)
    connection.request("GET", "/metrics")
    return connection.getresponse().read()


def test_up_is_idempotent_and_down_leaves_nothing(tiny):
    first = tiny.up()
    assert set(first["started"]) == {"relay", "api-one", "node-one-a", "targets", "prometheus", "forwards"}
    assert answer() == b"# TYPE tiny_up gauge\ntiny_up 1\n"
    before = tiny.status()
    changed = tiny.run("link", "one-a", "outside", "--rtt", "5ms", "--loss", "1%", "--bandwidth", "1Gbit/s")
    assert changed.stdout == "one-a - outside: 5 ms round trip, loss 1%, 1Gbit/s\n"
    shown = {
        "between": ["one-a", "outside"],
        "rtt_ms": 5.0,
        "loss": 0.01,
        "bandwidth_mbit_s": 1000.0,
        "up": True,
    }
    (link,) = tiny.status()["links"]
    assert {key: link[key] for key in shown} == shown
    refused = tiny.run("link", "one-a", "outside", "--jitter", "6ms")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "one-a - outside: a jitter of 6 ms is more than the rtt of 5 ms" in refused.stderr
    cordon = ["kubectl", "--kubeconfig", first["kubeconfig"], "cordon", "one-a"]
    subprocess.run(cordon, check=True, capture_output=True)
    assert [zone["node"] for zone in tiny.status()["zones"]] == ["Ready,SchedulingDisabled"]
    second = tiny.up()
    assert [zone["node"] for zone in tiny.status()["zones"]] == ["Ready"], "a ready lab takes pods everywhere"
    assert second["started"] == []
    shown = json.loads(tiny.run("link", "one-a", "outside", "--json").stdout)
    assert {"rtt_ms": 1.0, "loss": 0.0, "bandwidth_mbit_s": None, "up": True}.items() <= shown.items()
    assert tiny.status()["processes"] != []
    assert [p["pid"] for p in tiny.status()["processes"]] == [p["pid"] for p in before["processes"]]
    assert {p["name"] for p in tiny.status()["pods"]} == {p["name"] for p in before["pods"]}

    began = time.monotonic()
    assert tiny.run("down").returncode == 0
    assert time.monotonic() - began < 5
    assert tiny.leftovers() == []
    assert "was not up" in tiny.run("down").stdout


def test_a_harness_takes_down_what_it_brought_up_and_nothing_else(tiny):
    assert tiny.run("up", "--maker", "first").returncode == 0
    assert tiny.run("up", "--maker", "second").returncode == 0
    assert json.loads(tiny.run("down", "--maker", "second", "--json").stdout)["kept"]
    assert answer().endswith(b"tiny_up 1\n")
    assert not json.loads(tiny.run("down", "--maker", "first", "--json").stdout)["kept"]
    assert tiny.leftovers() == []


@pytest.mark.parametrize("after_s", [0.4, 1.0, 2.0])
def test_up_continues_after_a_kill(tiny, after_s):
    process = tiny.start("up", "--json")
    time.sleep(after_s)  # where it is then does not matter: every moment must do
    process.kill()
    process.communicate()
    tiny.up()
    assert answer().endswith(b"tiny_up 1\n")


def test_down_removes_what_a_killed_up_made(tiny):
    process = tiny.start("up", "--json")
    time.sleep(1.2)
    process.kill()
    process.communicate()
    assert tiny.run("down").returncode == 0
    assert tiny.leftovers() == []


def test_a_killed_down_is_finished_by_the_next(tiny):
    tiny.up()
    process = tiny.start("down")
    time.sleep(0.25)
    process.kill()
    process.communicate()
    assert tiny.run("down").returncode == 0
    assert tiny.leftovers() == []


def test_pods_outlive_every_process_of_the_lab(tiny):
    """The shim of a pod is adopted again: nothing restarts because the lab's own processes died."""
    tiny.up()
    before = tiny.status()
    for process in before["processes"]:
        os.kill(process["pid"], signal.SIGKILL)
    assert set(tiny.up()["started"]) == {process["name"] for process in before["processes"]}
    after = tiny.status()

    def identity(report):
        return sorted((pod["name"], pod["address"], pod["restarts"]) for pod in report["pods"])

    assert identity(after) == identity(before)
    assert answer().endswith(b"tiny_up 1\n")


def test_a_taken_port_is_bad_input_and_makes_nothing(tiny):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 28490))
        taken.listen()
        done = tiny.run("up")
    assert done.returncode == 2
    assert "port 127.0.0.1:28490 is taken (forward web)" in done.stderr
    assert tiny.leftovers() == []


def test_two_ups_at_once_do_not_meet(tiny):
    first = tiny.start("up", "--json")
    second = tiny.start("up", "--json")
    said = [process.communicate(timeout=90) for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], said
    started = sorted(len(json.loads(out)["started"]) for out, _ in said)
    assert started[0] == 0
    assert started[1] > 0
