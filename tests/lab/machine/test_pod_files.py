"""What a pod learns through files: configuration that changes while it runs, facts about itself, its token."""

import time

import pytest

from stormlab.wait import until

pytestmark = pytest.mark.lab
CONFIG = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"


@pytest.fixture
def config(machine, named):
    machine.call("POST", CONFIG, {"metadata": {"name": named}, "data": {"limit": "1"}})
    machine.call("POST", SECRETS, {"metadata": {"name": named}, "stringData": {"key": "old"}})
    yield named
    machine.call("DELETE", f"{CONFIG}/{named}")
    machine.call("DELETE", f"{SECRETS}/{named}")


def test_a_changed_config_reaches_the_pod_within_seconds_and_restarts_nothing(machine, named, config):
    container = {
        "volumeMounts": [{"name": "cm", "mountPath": "/etc/cm"}, {"name": "sec", "mountPath": "/etc/sec"}],
        "env": [{"name": "L", "valueFrom": {"configMapKeyRef": {"name": config, "key": "limit"}}}],
    }
    volumes = [
        {"name": "cm", "configMap": {"name": config}},
        {"name": "sec", "projected": {"sources": [{"secret": {"name": config}}]}},
    ]
    pod = machine.run(named, "city1-a", "sleep", "750", container=container, volumes=volumes)
    code = "cat /etc/cm/limit /etc/sec/key; echo; echo $L"
    assert machine.execute(named, "sh", "-c", code)[1] == "1old\n1\n"
    start = time.perf_counter()
    machine.call("PATCH", f"{CONFIG}/{config}", {"data": {"limit": "2"}}, patch="merge")
    machine.call("PATCH", f"{SECRETS}/{config}", {"stringData": {"key": "new"}}, patch="merge")
    until(lambda: machine.execute(named, "sh", "-c", code)[1].startswith("2new"), "the new files", 5)
    assert time.perf_counter() - start < 3
    (machine.group(pod) / "c" / "cgroup.kill").write_text("1")
    until(lambda: machine.container(named)["restartCount"] == 1, "restart", 10)
    until(lambda: machine.condition(machine.pod(named), "Ready"), "ready again", 10)
    assert machine.execute(named, "sh", "-c", code)[1].split()[-1] == "2", "variables change with a restart"


def test_a_pod_reads_about_itself(machine, named):
    items = [
        {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu", "divisor": "1m"}},
    ]  # fmt: skip
    container = {
        "volumeMounts": [{"name": "me", "mountPath": "/etc/me"}],
        "resources": {"limits": {"cpu": "1500m"}},
        "env": [
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
    }
    volumes = [{"name": "me", "downwardAPI": {"items": items}}]
    pod = machine.run(named, "city1-a", "sleep", "751", container=container, volumes=volumes)
    code = "cat /etc/me/name /etc/me/cpu; echo; echo $IP $NODE; cat /etc/me/labels"
    expected = f'{named}1500\n{pod["status"]["podIP"]} city1-a\npod="{named}"'
    assert machine.execute(named, "sh", "-c", code)[1] == expected
    path = f"/api/v1/namespaces/default/pods/{named}"
    machine.call("PATCH", path, {"metadata": {"labels": {"colour": "red"}}}, patch="merge")
    until(lambda: 'colour="red"' in machine.execute(named, "cat", "/etc/me/labels")[1], "the new label", 5)


def test_names_of_its_own_and_rights_it_gives_up(machine, named):
    aliases = [{"ip": "192.0.2.9", "hostnames": ["clearing", "clearing.example"]}]
    container = {"securityContext": {"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}}
    machine.run(named, "city1-a", "sleep", "752", container=container, hostAliases=aliases)
    assert machine.execute(named, "getent", "hosts", "clearing.example")[1].split()[0] == "192.0.2.9"
    assert machine.execute(named, "grep", "CapBnd", "/proc/self/status")[1].split()[1] == f"{1:016x}"
