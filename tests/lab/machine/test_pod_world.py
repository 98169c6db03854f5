"""What a pod finds around it: its own root, network and volumes, and nothing of others."""

import pytest

from stormlab.wait import until

pytestmark = pytest.mark.lab


CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
CLAIM = {
    "metadata": {"name": "data-x"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
}


def test_a_container_sees_its_own_world(machine, named):
    code = "id -u; head -c3 /proc/1/comm; echo; hostname; ls /root /run/netns; ip -o -4 a show eth0"
    machine.run(named, "city1-a", "sh", "-c", f"{code}; exec sleep 707", securityContext={"runAsUser": 999})
    pod = machine.pod(named)
    text = until(lambda: "scope" in (found := machine.log(named)) and found, "output", 5)
    lines = text.splitlines()
    assert lines[0] == "999"
    assert lines[1] == "pau"
    assert lines[2] == named
    assert "No such file" in text
    assert f"inet {pod['status']['podIP']}/32" in text


def test_a_pod_on_the_nodes_network_has_its_address_and_others_may_serve_low_ports(machine, named):
    pod = machine.run(named, "city1-a", "sleep", "713", hostNetwork=True)
    assert pod["status"]["podIP"] == pod["status"]["hostIP"] == "10.77.1.1"
    assert "inet 10.77.1.1/32" in machine.execute(named, "ip", "-o", "-4", "a", "show", "wan0")[1]
    machine.delete(named)
    until(lambda: machine.pod(named) is None, "gone", 5)
    probe = {"readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1}}
    command = ("python", "-m", "http.server", "80")
    machine.run(named, "city1-a", *command, container=probe, securityContext={"runAsUser": 999})


def test_what_is_kept_of_a_pod_is_not_for_others(machine, named):
    pod = machine.run(named, "city1-a", "sleep", "714")
    for place in ("pods", f"pods/{pod['metadata']['uid']}", "volumes", "nodes"):
        assert (machine.state / place).stat().st_mode & 0o077 == 0, place
    assert (machine.state / "relay.sock").stat().st_mode & 0o077 == 0


def test_a_container_cannot_write_where_programs_are(machine, named):
    code = "touch /usr/x /etc/ssl/x /sys/x; echo rc $?; touch /tmp/x /var/lib/x && echo fine; exec sleep 708"
    machine.run(named, "city1-a", "sh", "-c", code)
    text = until(lambda: "rc" in (found := machine.log(named)) and found, "output", 5)
    assert text.count("Read-only file system") == 3
    assert "fine" in until(lambda: "fine" in (found := machine.log(named)) and found, "own places", 5)


def test_each_run_starts_with_a_fresh_root_but_keeps_its_volumes(machine, named):
    code = "ls /tmp /data; touch /tmp/here /data/here; sleep 0.2; exit 1"
    container = {"volumeMounts": [{"name": "v", "mountPath": "/data"}]}
    volumes = [{"name": "v", "emptyDir": {}}]
    machine.run(named, "city1-a", "sh", "-c", code, container=container, volumes=volumes, ready=False)
    until(
        lambda: machine.status(named).get("containerStatuses", [{}])[0].get("restartCount") == 1, "restart", 5
    )
    assert "here" not in machine.log(named, "previous=true")
    text = until(lambda: "here" in (found := machine.log(named)) and found, "second run", 5)
    assert text == "/data:\nhere\n\n/tmp:\n"


def test_claims_outlive_their_pods_and_belong_to_a_region(machine, named):
    """What is kept dies with the claim, not with its name."""
    container = {"volumeMounts": [{"name": "v", "mountPath": "/data"}]}
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data-x"}}]
    code = "cat /data/note; echo kept > /data/note; echo ok; exec sleep 709"
    machine.call("POST", CLAIMS, CLAIM)
    machine.call("POST", CLAIMS, CLAIM, "city2")
    for region, zone, anew, expected in (
        ("city1", "city1-a", False, False),
        ("city1", "city1-a", False, True),
        ("city2", "city2-a", False, False),
        ("city1", "city1-a", True, False),
    ):
        if anew:
            machine.call("DELETE", f"{CLAIMS}/data-x")
            until(lambda: machine.call("GET", CLAIMS)["items"] == [], "the claim is gone", 5)
            machine.call("POST", CLAIMS, CLAIM)
        pod = machine.run(named, zone, "sh", "-c", code, container=container, volumes=volumes, region=region)
        log = machine.state / "pods" / pod["metadata"]["uid"] / "c.log"
        until(lambda file=log: "ok" in file.read_text(), "output", 5)
        assert ("kept" in log.read_text()) is expected
        machine.delete(named, region=region)
        until(lambda r=region: machine.pod(named, r) is None, "gone", 5)
