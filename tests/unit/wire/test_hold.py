"""A process held in a container, really run: it ends with us, and only its being killed proves a death."""

import os
import signal
import subprocess
import sys

import pytest

from stormdrill import wait
from stormdrill.estate import Service, SystemType
from stormdrill.faults import deathwatch
from stormdrill.faults.deathwatch import DeathWatch

from .conftest import EXECUTED

PODS = "/api/v1/namespaces/held/pods"
HARNESS = """
import sys
from stormdrill.faults import deathwatch
from stormdrill.kube import Cluster
held = Cluster.connect(sys.argv[1], "city1").hold("held", sys.argv[2], "c", list(deathwatch._HOLD))
print(held.first_output(5), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster(api):
    made = api.cluster()
    made.create("/api/v1/namespaces", {"metadata": {"name": "held"}})
    return made


@pytest.fixture
def pod(cluster, request):
    """A pod of its own for the test, as the harness sees it."""
    name = request.node.name.replace("_", "-")[:40].rstrip("-")
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "node-a"}
    cluster.create(PODS, {"metadata": {"name": name, "labels": {"pod": name}}, "spec": spec})
    status = {
        "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": True, "restartCount": 0}]
    }
    cluster.patch(f"{PODS}/{name}/status", {"status": status})
    (found,) = cluster.pods("held", f"pod={name}")
    return found


def begin(cluster, pod):
    service = Service("s", {"pod": pod.name}, next(iter(SystemType)), "held", (), None)
    watch = DeathWatch.begin(cluster, service, pod)
    assert not watch.trouble
    return watch, EXECUTED[-1]


def ended(process):
    wait.until(lambda: process.returncode is not None, deadline_s=5, what="the held process gone")


def test_a_killed_process_of_a_pod_that_is_gone_is_a_death(cluster, pod):
    watch, process = begin(cluster, pod)
    cluster.delete(f"{PODS}/{pod.name}", grace_s=0, uid=pod.uid)
    os.kill(process.pid, signal.SIGKILL)
    proof = watch.prove(5)
    assert proof.ok, proof.why
    assert proof.evidence["c"]["exit"] == 137


@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 1", 1), ("exec /no/such/program", 127), ("kill -TERM $$", 143), ("exit 0", 0)],
)
def test_a_process_that_was_not_killed_proves_nothing(cluster, pod, monkeypatch, command, status):
    monkeypatch.setattr(deathwatch, "_HOLD", ("sh", "-c", f"echo held; {command}"))
    watch, _ = begin(cluster, pod)
    cluster.delete(f"{PODS}/{pod.name}", grace_s=0, uid=pod.uid)
    proof = watch.prove(5)
    assert not proof.ok
    assert f"ended with exit status {status}, not killed" in proof.why


def test_it_runs_as_long_as_it_is_watched(cluster, pod):
    watch, process = begin(cluster, pod)
    proof = watch.prove(0.5)
    assert not proof.ok
    assert "still runs" in proof.why
    ended(process)  # let go of by the proof


def test_it_ends_when_it_is_let_go(cluster, pod):
    watch, process = begin(cluster, pod)
    watch.close()
    ended(process)


def test_it_ends_with_a_harness_that_is_killed(api, cluster, pod):
    argv = [sys.executable, "-c", HARNESS, str(api.kubeconfig), pod.name]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout.readline() == "held\n"
        process = EXECUTED[-1]
        assert process.returncode is None
        harness.kill()
    ended(process)
