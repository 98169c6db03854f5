"""A pod's share of the machine: memory that kills, processor that holds back, volumes that fill."""

import time

import pytest

from stormlab import claimspace
from stormlab.wait import until

pytestmark = pytest.mark.lab
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
FILL = "dd if=/dev/zero of=/data/big bs=64k 2>&1 | grep -o 'No space left on device'"


def limited(**limits):
    return {"resources": {"limits": limits}}


def test_who_takes_more_memory_than_its_limit_is_killed_and_says_so(machine, named):
    code = "sleep 0.3; exec python -c 'bytearray(200 << 20)'"
    before = machine.version()
    machine.run(named, "city1-a", "sh", "-c", code, container=limited(memory="48Mi"), ready=False)
    found = until(lambda: machine.ended(named, before), "killed", 15)
    assert (found["reason"], found["exitCode"]) == ("OOMKilled", 137)
    until(lambda: machine.container(named)["restartCount"] >= 1, "restarted", 10)
    assert machine.container(named)["lastState"]["terminated"]["reason"] == "OOMKilled"


def test_a_kill_by_somebody_else_is_no_lack_of_memory(machine, named):
    before = machine.version()
    pod = machine.run(named, "city1-a", "sleep", "730", container=limited(memory="48Mi"))
    (machine.group(pod) / "c" / "cgroup.kill").write_text("1")
    found = until(lambda: machine.ended(named, before), "killed", 10)
    assert (found["reason"], found["exitCode"]) == ("Error", 137)


def test_a_program_run_beside_it_is_under_the_same_limit(machine, named):
    machine.run(named, "city1-a", "sleep", "731", container=limited(memory="48Mi"))
    assert machine.execute(named, "python", "-c", "print(len(bytearray(4 << 20)))")[0] == 0
    assert machine.execute(named, "python", "-c", "bytearray(200 << 20)")[0] == 137


def test_the_processor_is_taken_in_slices(machine, named):
    machine.run(named, "city1-a", "sleep", "732", container=limited(cpu="100m"))
    spin = "import time\nend = time.monotonic() + 2\nwhile time.monotonic() < end: pass\nprint(time.process_time())"
    start = time.perf_counter()
    code, out, _ = machine.execute(named, "python", "-c", spin)
    assert code == 0
    share = float(out) / (time.perf_counter() - start)
    assert share < 0.2, f"{share:.2f} of a core, 0.1 allowed"


def test_a_volume_of_a_size_fills_and_only_in_that_pod(machine, named):
    container = {"volumeMounts": [{"name": "v", "mountPath": "/data"}]}
    volumes = [{"name": "v", "emptyDir": {"sizeLimit": "2Mi"}}]
    other = f"{named[:40]}-2"
    pods = [
        machine.run(name, "city1-a", "sleep", "733", container=container, volumes=volumes)
        for name in (named, other)
    ]
    assert machine.execute(named, "sh", "-c", FILL)[1] == "No space left on device\n"
    assert machine.execute(named, "sh", "-c", "stat -c %s /data/big")[1] == f"{2 << 20}\n"
    assert machine.execute(other, "sh", "-c", "head -c 1M /dev/zero > /data/fits && echo fits")[1] == "fits\n"
    assert (
        machine.execute(named, "sh", "-c", "rm /data/big; echo again > /data/a && echo fits")[1] == "fits\n"
    )
    (machine.group(pods[0]) / "c" / "cgroup.kill").write_text("1")
    until(lambda: machine.container(named)["restartCount"] == 1, "restart", 10)
    until(lambda: machine.condition(machine.pod(named), "Ready"), "ready again", 10)
    assert machine.execute(named, "cat", "/data/a")[1] == "again\n", "it outlives its container"
    places = [claimspace.of_pod(machine.state, pod["metadata"]["uid"]) for pod in pods]
    assert all(place.exists() for place in places)
    for name in (named, other):
        machine.delete(name)
    until(lambda: not any(place.exists() for place in places), "nothing is left of them", 10)


def test_a_claim_is_as_large_as_it_asked_for(machine, named):
    claim = {
        "metadata": {"name": named},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    machine.call("POST", CLAIMS, claim)
    container = {"volumeMounts": [{"name": "v", "mountPath": "/data"}], **limited(memory="32Mi")}
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": named}}]
    machine.run(named, "city1-a", "sleep", "734", container=container, volumes=volumes)
    assert machine.execute(named, "sh", "-c", FILL)[1] == "No space left on device\n"
    machine.delete(named)
    until(lambda: machine.pod(named) is None, "gone", 10)
    grown = {"spec": {"resources": {"requests": {"storage": "40Mi"}}}}
    machine.call("PATCH", f"{CLAIMS}/{named}", grown, patch="merge")
    machine.run(named, "city1-b", "sleep", "735", container=container, volumes=volumes)
    code = "stat -c %s /data/big; head -c 36M /dev/zero > /data/more && echo fits"
    assert machine.execute(named, "sh", "-c", code)[1] == f"{1 << 20}\nfits\n", "a disk is not its memory"
    machine.call("DELETE", f"{CLAIMS}/{named}")
