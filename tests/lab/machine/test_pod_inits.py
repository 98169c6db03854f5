"""Containers that prepare a pod: one after the other, before the rest, and again until they succeed."""

import pytest

from stormlab.wait import until

pytestmark = pytest.mark.lab
MOUNT = [{"name": "v", "mountPath": "/v"}]
VOLUMES = [{"name": "v", "emptyDir": {}}]


def init(name, code):
    return {"name": name, "image": "stormbank:dev", "command": ["sh", "-c", code], "volumeMounts": MOUNT}


def first(machine, name):
    return machine.status(name).get("initContainerStatuses") or []


def test_they_run_in_order_before_the_rest(machine, named):
    inits = [init("one", "sleep 0.5; echo one >> /v/said"), init("two", "echo two >> /v/said")]
    code = "echo main >> /v/said; exec sleep 760"
    extra = {"initContainers": inits, "volumes": VOLUMES, "container": {"volumeMounts": MOUNT}}
    machine.run(named, "city1-a", "sh", "-c", code, **extra)
    assert machine.execute(named, "cat", "/v/said")[1] == "one\ntwo\nmain\n"
    assert [item["state"]["terminated"]["reason"] for item in first(machine, named)] == ["Completed"] * 2
    assert machine.condition(machine.pod(named), "Initialized")
    assert machine.log(named, "container=one") == ""


def test_one_that_fails_is_tried_again_and_the_rest_waits(machine, named):
    inits = [init("one", "test -e /v/tried && exit 0; touch /v/tried; exit 3"), init("two", "true")]
    extra = {"initContainers": inits, "volumes": VOLUMES, "container": {"volumeMounts": MOUNT}}
    machine.run(named, "city1-a", "sleep", "761", **extra)
    assert [item["restartCount"] for item in first(machine, named)] == [1, 0]


def test_one_that_may_not_be_tried_again_fails_the_pod(machine, named):
    inits = [init("one", "exit 3"), init("two", "true")]
    extra = {"initContainers": inits, "volumes": VOLUMES, "restartPolicy": "Never"}
    machine.run(named, "city1-a", "sleep", "762", ready=False, **extra)
    until(lambda: machine.status(named).get("phase") == "Failed", "failed", 10)
    assert machine.container(named)["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert not machine.condition(machine.pod(named), "Initialized")


def test_a_new_sandbox_is_prepared_anew(machine, named):
    extra = {
        "initContainers": [init("one", "echo one >> /v/said")],
        "volumes": VOLUMES,
        "container": {"volumeMounts": MOUNT},
    }
    pod = machine.run(named, "city1-a", "sleep", "763", **extra)
    (machine.group(pod) / "cgroup.kill").write_text("1")
    until(
        lambda: (
            machine.container(named)["restartCount"] == 1 and machine.condition(machine.pod(named), "Ready")
        ),
        "new sandbox",
        10,
    )
    assert machine.execute(named, "cat", "/v/said")[1] == "one\none\n"
