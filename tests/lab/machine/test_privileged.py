"""Pods of the host: what a node's agent needs, from inside a pod, on real namespaces and control groups."""

import base64
import contextlib
import json
import subprocess
import urllib.error

import pytest

from stormlab.wait import until

pytestmark = pytest.mark.lab

HOST = {
    "hostNetwork": True,
    "hostPID": True,
    "tolerations": [{"operator": "Exists"}],
    "volumes": [
        {"name": "state", "hostPath": {"path": "/var/lib/stormdrill", "type": "DirectoryOrCreate"}},
        {"name": "groups", "hostPath": {"path": "/sys/fs/cgroup", "type": "Directory"}},
    ],
}
MOUNTS = [
    {"name": "state", "mountPath": "/var/lib/stormdrill"},
    {"name": "groups", "mountPath": "/sys/fs/cgroup"},
]
# What any client in a cluster does: address from the environment, CA and token from the mounted files.
ASK = """
import json, os, ssl, sys, urllib.error, urllib.request
place = "/var/run/secrets/kubernetes.io/serviceaccount/"
url = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}" + sys.argv[1]
context = ssl.create_default_context(cafile=place + "ca.crt")
headers = {"Authorization": "Bearer " + open(place + "token").read()}
body = sys.argv[2].encode() if len(sys.argv) > 2 else None
headers["Content-Type"] = "application/json"
try:
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), context=context, timeout=5) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""
REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@pytest.fixture
def other(machine, named):
    """A second name of the test's own."""
    name = f"{named[:44]}-b"
    yield name
    if machine.pod(name) is not None:
        machine.delete(name)
        until(lambda: machine.pod(name) is None, f"{name} gone", 5)


def agent(machine, name, *command, zone="city1-a"):
    container = {"securityContext": {"privileged": True}, "volumeMounts": MOUNTS}
    return machine.run(name, zone, *(command or ("sleep", "801")), container=container, **HOST)


def who_am_i(machine, name):
    code, said, wrong = machine.execute(name, "python3", "-c", ASK, REVIEW, "{}")
    assert code == 0, wrong
    status, _, text = said.partition(" ")
    assert status == "201", text
    return json.loads(text)["status"]["userInfo"]


def test_an_agent_rules_its_nodes_network_and_no_other(machine, named):
    agent(machine, named)
    rules = (
        "table inet probe { chain c { type filter hook forward priority -150; ip daddr 192.0.2.1 drop; }; }"
    )
    assert machine.execute(named, "nft", rules) == (0, "", "")
    try:
        listed = {zone: _nft(machine, zone) for zone in ("city1-a", "city1-b")}
        assert "probe" in listed["city1-a"]
        assert "probe" not in listed["city1-b"]
    finally:
        assert machine.execute(named, "nft", "delete table inet probe")[0] == 0


def _nft(machine, zone):
    ask = ["nft", "list", "tables"]
    return machine.in_zone(
        zone, lambda: subprocess.run(ask, capture_output=True, text=True, check=True).stdout
    )


def test_others_rule_nothing(machine, named):
    machine.run(named, "city1-a", "sleep", "802", hostNetwork=True)
    code, _, wrong = machine.execute(named, "nft", "add table inet probe")
    assert code != 0
    assert "not permitted" in wrong


def test_an_agent_sees_and_kills_the_containers_of_its_node_by_pod(machine, named, other):
    agent(machine, named)
    pod = machine.run(other, "city1-a", "sh", "-c", "setsid -f sleep 803; exec sleep 804")
    group = f"/sys/fs/cgroup/kubepods/pod{pod['metadata']['uid']}"
    script = f'for pid in $(cat {group}/c/cgroup.procs); do tr "\\0" " " < /proc/$pid/cmdline; done'
    code, said, wrong = machine.execute(named, "sh", "-c", script)
    assert code == 0, wrong
    assert {"sleep 803 ", "sleep 804 "} <= {f"sleep {part}" for part in said.split("sleep ")}
    comm = machine.execute(named, "sh", "-c", f"cat /proc/$(cat {group}/sandbox/cgroup.procs)/comm")[1]
    assert comm == "pause\n", "as on any node, so that whoever kills containers can spare it"
    code, _, wrong = machine.execute(named, "sh", "-c", f"echo 1 > {group}/c/cgroup.kill")
    assert code == 0, wrong
    ended = until(
        lambda: machine.status(other)["containerStatuses"][0].get("lastState", {}).get("terminated"), "end", 5
    )
    assert ended["exitCode"] == 137
    assert machine.pod(other)["metadata"]["uid"] == pod["metadata"]["uid"]
    assert machine.status(other)["podIP"] == pod["status"]["podIP"], "the sandbox lives"


def test_an_agent_does_not_see_the_groups_of_another_zone(machine, named, other):
    mine = agent(machine, named)
    foreign = machine.run(other, "city1-b", "sleep", "805")
    seen = machine.execute(named, "ls", "/sys/fs/cgroup/kubepods")[1].split()
    assert f"pod{mine['metadata']['uid']}" in seen
    assert f"pod{foreign['metadata']['uid']}" not in seen


def test_a_nodes_disk_outlives_its_pods_and_belongs_to_the_node(machine, named):
    note = "/var/lib/stormdrill/note"
    for zone, expected in (("city1-a", ""), ("city1-a", "kept\n"), ("city1-b", "")):
        agent(machine, named, zone=zone)
        said = machine.execute(named, "sh", "-c", f"cat {note} 2>/dev/null; echo kept > {note}")[1]
        assert said == expected, zone
        machine.delete(named)
        until(lambda: machine.pod(named) is None, "gone", 5)
    disks = [machine.state / "nodes" / zone / "disk" for zone in ("city1-a", "city1-b")]
    assert [(disk / note.lstrip("/")).read_text() for disk in disks] == ["kept\n"] * 2


def test_an_agent_is_dead_all_of_it_at_once_after_its_delete(machine, named):
    pod = agent(machine, named, "sh", "-c", "setsid sh -c 'sleep 806 & exec sleep 807' & exec sleep 808")
    until(lambda: len(machine.processes(pod)) >= 4, "children", 5)
    doomed = machine.processes(pod)
    machine.delete(named)
    until(lambda: not any(one.alive for one in doomed), "death of all processes", 5, poll_s=0.005)
    until(lambda: not machine.group(pod).exists(), "group removed", 5)


def test_an_agents_orphans_are_its_shims_who_collects_them(machine, named):
    pod = agent(machine, named, "sh", "-c", "setsid -f sleep 809; exec sleep 814")
    (shim,) = (machine.group(pod) / "sandbox" / "cgroup.procs").read_text().split()

    def children():
        said = machine.execute(named, "ps", "-o", "pid=,args=", "--ppid", shim)[1]
        return {args: pid for pid, args in (line.split(maxsplit=1) for line in said.splitlines())}

    orphan = until(lambda: children().get("sleep 809"), "orphan of the shim", 5)
    machine.execute(named, "kill", "-9", orphan)
    assert orphan not in children().values(), "collected: no zombie"
    assert "sleep 814" in children()


def test_the_api_answers_at_its_service_name_too(machine, named):
    machine.run(named, "city1-a", "sleep", "815")
    by_name = ASK.replace("os.environ['KUBERNETES_SERVICE_HOST']", "'kubernetes.default.svc'")
    by_name = by_name.replace("os.environ['KUBERNETES_SERVICE_PORT']", "443")
    code, said, wrong = machine.execute(named, "python3", "-c", by_name, REVIEW, "{}")
    assert code == 0, wrong
    assert said.startswith("201"), said


@pytest.mark.parametrize("host", [False, True])
def test_a_pod_asks_its_regions_api_as_its_account(machine, named, host):
    pod = machine.run(named, "city1-a", "sleep", "810", hostNetwork=host)
    info = who_am_i(machine, named)
    assert info["username"] == "system:serviceaccount:default:default"
    assert "system:serviceaccounts:default" in info["groups"]
    files = machine.execute(named, "cat", "/var/run/secrets/kubernetes.io/serviceaccount/namespace")[1]
    assert files == "default"
    token = machine.execute(named, "cat", "/run/secrets/kubernetes.io/serviceaccount/token")[1]
    assert pod["metadata"]["uid"] in _claims(token)


def _claims(token):
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()


def test_a_token_dies_with_its_pod(machine, named, other):
    machine.run(named, "city1-a", "sleep", "811")
    machine.run(other, "city1-a", "sleep", "812")
    place = "/run/secrets/kubernetes.io/serviceaccount/token"
    token = machine.execute(other, "cat", place)[1]
    stolen = ASK.replace('open(place + "token").read()', repr(token))
    assert machine.execute(named, "python3", "-c", stolen, REVIEW, "{}")[1].startswith("201")
    machine.delete(other)
    until(lambda: machine.pod(other) is None, "gone", 5)
    assert machine.execute(named, "python3", "-c", stolen, REVIEW, "{}")[1].startswith("401")


def test_who_wants_no_token_gets_none(machine, named):
    machine.run(named, "city1-a", "sleep", "813", automountServiceAccountToken=False)
    assert machine.execute(named, "ls", "/run/secrets")[0] != 0


def test_a_daemon_that_tolerates_everything_is_on_every_node(machine, named):
    path = "/apis/apps/v1/namespaces/default/daemonsets"
    container = {
        "name": "c",
        "image": "stormbank:dev",
        "command": ["sleep", "816"],
        "securityContext": {"privileged": True},
        "volumeMounts": MOUNTS,
    }
    template = {"metadata": {"labels": {"pod": named}}, "spec": {"containers": [container], **HOST}}
    spec = {"selector": {"matchLabels": {"pod": named}}, "template": template}
    taint = {"key": "x", "value": "y", "effect": "NoExecute"}
    _taint(machine, [taint])
    try:
        machine.call("POST", path, {"metadata": {"name": named}, "spec": spec})
        status = until(
            lambda: (s := _status(machine, path, named)).get("numberReady") == 2 and s, "ready", 10
        )
        assert status["desiredNumberScheduled"] == 2, "on the tainted node too"
    finally:
        _taint(machine, None)
        machine.call("DELETE", f"{path}/{named}")
    pods = f"/api/v1/namespaces/default/pods?labelSelector=pod%3D{named}"
    for pod in machine.call("GET", pods)["items"]:
        with contextlib.suppress(urllib.error.HTTPError):  # gone meanwhile, with its DaemonSet
            machine.delete(pod["metadata"]["name"])
    until(lambda: not machine.call("GET", pods)["items"], "gone", 10)


def _taint(machine, taints):
    machine.call("PATCH", "/api/v1/nodes/city1-b", {"spec": {"taints": taints}}, patch="merge")


def _status(machine, path, name):
    return machine.call("GET", f"{path}/{name}").get("status", {})
