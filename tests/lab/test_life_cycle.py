"""Up and down of a lab, also after SIGKILL at any moment: nothing is made twice, nothing stays."""

import contextlib
import json
import signal
import socket
import subprocess
import time

import pytest
from tests.lab.tiny.lab import PAGE, STATES, TinyLab

from stormlab.wait import until

pytestmark = pytest.mark.lab
DAEMONS = {"relay", "api-one", "node-one-a", "targets", "prometheus", "names", "firm", "forwards"}


@pytest.fixture
def tiny():
    lab = TinyLab()
    lab.down()
    yield lab
    lab.down()
    with contextlib.suppress(OSError):  # another lab is still there
        STATES.rmdir()


def test_up_is_idempotent_and_down_leaves_nothing(tiny):
    first = tiny.up()
    assert set(first["started"]) == DAEMONS
    assert tiny.answer() == PAGE
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
    assert tiny.answer() == PAGE
    assert not json.loads(tiny.run("down", "--maker", "first", "--json").stdout)["kept"]
    assert tiny.leftovers() == []


@pytest.mark.parametrize("after_s", [0.4, 1.0, 2.0])
def test_up_continues_after_a_kill(tiny, after_s):
    process = tiny.start("up", "--json")
    time.sleep(after_s)  # where it is then does not matter: every moment must do
    process.kill()
    process.communicate()
    tiny.up()
    assert tiny.answer() == PAGE


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
    for process in tiny.daemons().values():
        process.signal(signal.SIGKILL)
    assert set(tiny.up()["started"]) == {process["name"] for process in before["processes"]}
    after = tiny.status()

    def identity(report):
        return sorted((pod["name"], pod["address"], pod["restarts"]) for pod in report["pods"])

    assert identity(after) == identity(before)
    assert tiny.answer() == PAGE


def test_a_firm_outside_is_reached_from_the_sites_and_mended(tiny):
    """By every site at one address over its links, from the host by its forward; what it keeps outlives it."""
    tiny.up()
    (tiny.state / "outside/firm/books").write_text("one\n")
    assert tiny.get(28491, "/books") == b"one\n"
    within = [
        "ip",
        "netns",
        "exec",
        "sl-tiny-one-a",
        "curl",
        "-sS",
        "--max-time",
        "5",
        "http://10.77.0.1:8101/books",
    ]
    assert subprocess.run(within, check=True, capture_output=True).stdout == b"one\n"
    tiny.daemons()["firm"].signal(signal.SIGKILL)
    until(lambda: "firm" not in tiny.daemons(), "the firm has ended", 5)
    (dead,) = [each for each in tiny.status()["processes"] if not each["running"]]
    assert dead["name"] == "firm"
    assert tiny.up()["started"] == ["firm"]
    assert tiny.get(28491, "/books") == b"one\n"
    assert "GET /books" in tiny.run("logs", "firm").stdout


def test_a_taken_port_is_bad_input_and_makes_nothing(tiny):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 28490))
        taken.listen()
        done = tiny.run("up")
    assert done.returncode == 2
    assert "port 127.0.0.1:28490 is taken (forward web)" in done.stderr
    assert tiny.leftovers() == []


def test_a_container_that_ended_while_its_node_process_was_dead_is_seen_before_the_lab_is_ready(tiny):
    tiny.up()
    tiny.daemons()["node-one-a"].signal(signal.SIGKILL)
    _, contained = tiny.inside()
    contained[0].signal(signal.SIGKILL)
    tiny.up()
    pods = tiny.status()["pods"]
    assert sorted((pod["ready"], pod["restarts"]) for pod in pods) == [(True, 0), (True, 1)]


def test_an_up_after_a_killed_down_begins_anew(tiny):
    """What went is gone: the lab does not go on with half of its state."""
    tiny.up()
    before = (tiny.state / "kubeconfig").read_text()
    process = tiny.start("down")
    until((tiny.state / "teardown.begun").exists, "the removal has begun", 20, poll_s=0.001)
    process.kill()
    process.communicate()
    assert set(tiny.up()["started"]) == DAEMONS
    assert (tiny.state / "kubeconfig").read_text() != before
    assert tiny.answer() == PAGE


def test_two_ups_at_once_do_not_meet(tiny):
    first = tiny.start("up", "--json")
    second = tiny.start("up", "--json")
    said = [process.communicate(timeout=90) for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], said
    started = sorted(len(json.loads(out)["started"]) for out, _ in said)
    assert started[0] == 0
    assert started[1] > 0
