"""Pods as real processes: how they end, what restarts, what survives the node process."""

import json
import signal
import time
import urllib.error
from threading import Event

import pytest

from stormlab import process
from stormlab.wait import until

pytestmark = pytest.mark.lab
# A program whose children leave its session, as PostgreSQL's postmaster does.
DAEMONIZING = "setsid sh -c 'sleep 601 & exec sleep 602' & setsid -f sleep 603; exec sleep 604"


def elapsed_ms(since):
    return (time.perf_counter() - since) * 1000


def test_a_pod_is_dead_all_of_it_at_once_after_its_delete(machine, named):
    pod = machine.run(named, "city1-a", "sh", "-c", DAEMONIZING)
    until(lambda: len(machine.processes(pod)) >= 5, "children", 5)
    doomed = machine.processes(pod)
    start = time.perf_counter()
    machine.delete(named)
    until(lambda: not any(one.alive for one in doomed), "death of all processes", 5, poll_s=0.001)
    assert elapsed_ms(start) < 500  # tens of milliseconds, and what a busy machine adds
    assert machine.pod(named) is None
    until(lambda: not machine.group(pod).exists(), "group removed", 5)
    until(lambda: not (machine.state / "pods" / pod["metadata"]["uid"]).exists(), "directory removed", 5)
    uid = pod["metadata"]["uid"]
    until(lambda: not any(uid in item.name for item in machine.inventory.items()), "off the record", 5)


def test_a_polite_end_gets_its_signal_and_its_time(machine, named):
    code = "trap 'echo bye; sleep 0.3; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    pod = machine.run(named, "city1-a", "sh", "-c", code)
    until(lambda: "up" in machine.log(named), "start", 5)
    doomed = machine.processes(pod)
    machine.delete(named, grace_s=10)
    dying = machine.pod(named)
    assert dying["metadata"]["deletionGracePeriodSeconds"] == 10
    assert "bye" in until(lambda: "bye" in (text := machine.log(named)) and text, "signal", 5)
    until(lambda: machine.pod(named) is None, "gone", 5)
    assert not any(one.alive for one in doomed)


def test_who_ignores_the_signal_is_killed_after_the_grace(machine, named):
    pod = machine.run(named, "city1-a", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    doomed = machine.processes(pod)
    start = time.perf_counter()
    machine.delete(named, grace_s=1)
    until(lambda: machine.pod(named) is None, "gone", 5)
    assert 900 < elapsed_ms(start) < 2500
    assert not any(one.alive for one in doomed)


def test_a_crashed_container_restarts_at_once_then_with_back_off(machine, named):
    pod = machine.run(named, "city1-a", "sh", "-c", "setsid -f sleep 700; exec sleep 701")
    first = machine.processes(pod)

    def kill_container():
        (machine.group(pod) / "c" / "cgroup.kill").write_text("1")

    start = time.perf_counter()
    kill_container()
    restarted = until(
        lambda: (s := machine.status(named)["containerStatuses"][0])["restartCount"] == 1 and s, "", 5
    )
    assert elapsed_ms(start) < 1500
    assert restarted["lastState"]["terminated"]["exitCode"] == 137
    assert machine.status(named)["podIP"] == pod["status"]["podIP"]
    alive = [one for one in first if one.alive]
    assert len(alive) == 1, "only the shim outlives its container"
    until(lambda: machine.condition(machine.pod(named), "Ready"), "ready again", 5)
    kill_container()
    waiting = until(
        lambda: machine.status(named)["containerStatuses"][0]["state"].get("waiting"), "back-off", 5
    )
    assert waiting["reason"] == "CrashLoopBackOff"
    assert waiting["message"].startswith(("back-off 2s ", "back-off 1s ")), "no longer than this lab says"
    assert not machine.condition(machine.pod(named), "Ready")
    until(lambda: machine.status(named)["containerStatuses"][0]["restartCount"] == 2, "its second restart", 5)


def test_how_it_ended_is_told_before_it_waits_as_a_kubelet_tells_it(machine, named):
    before = machine.version()
    machine.run(named, "city1-a", "sh", "-c", "sleep 0.5; exit 7", ready=False)
    until(lambda: "CrashLoopBackOff" in str(machine.container(named).get("state")), "back-off", 10)
    found = machine.states(named, before)
    kinds = ["waiting", "running", "terminated", "running", "terminated", "waiting"]
    assert [kind for kind, _ in found] == kinds
    ends = [(state["exitCode"], state["reason"]) for kind, state in found if kind == "terminated"]
    assert ends == [(7, "Error"), (7, "Error")]
    assert found[-1][1]["reason"] == "CrashLoopBackOff"


def test_what_a_container_leaves_behind_dies_with_its_first_process(machine, named):
    pod = machine.run(
        named,
        "city1-a",
        "sh",
        "-c",
        "setsid -f sleep 702; sleep 0.3; exit 1",
        restartPolicy="Never",
        ready=False,
    )
    until(lambda: machine.status(named).get("phase") == "Failed", "end", 5)
    assert len(machine.processes(pod)) == 1
    assert machine.status(named)["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1


def test_running_pods_are_adopted_by_a_new_node_process(machine, named):
    probe = {"readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1}}
    pod = machine.run(named, "city1-b", "sh", "-c", "echo up; exec sleep 703", container=probe)
    before = machine.processes(pod)
    version = machine.pod(named)["metadata"]["resourceVersion"]
    process.stop([process.find(machine.inventory, "node-city1-b")], 0)
    machine.start_node("city1-b")
    other = f"{named[:40]}-2"
    machine.run(other, "city1-b", "sleep", "704")
    found = machine.pod(named)
    assert machine.processes(pod) == before
    assert found["metadata"]["resourceVersion"] == version, "readiness did not flicker"
    assert machine.log(named) == "up\n"
    doomed = [*before, *machine.processes(machine.pod(other))]
    machine.delete(other)
    machine.delete(named)
    until(lambda: not any(one.alive for one in doomed), "adopted pod dies by delete", 2)


@pytest.mark.parametrize("after_s", [0.0, 0.03, 0.06, 0.1, 0.15])
def test_a_node_killed_while_it_makes_a_pod_leaves_one_whole_pod(machine, named, after_s):
    pod = machine.run(named, "city1-b", "sleep", "712", ready=False)
    Event().wait(after_s)
    process.stop([process.find(machine.inventory, "node-city1-b")], 0)
    machine.start_node("city1-b")
    pod = until(lambda: machine.condition(p := machine.pod(named), "Ready") and p, "ready", 15)
    assert len(machine.processes(pod)) == 2, "a shim and its container"
    doomed = machine.processes(pod)
    machine.delete(named)
    until(lambda: not any(one.alive for one in doomed), "dead", 5)


def test_a_pod_deleted_while_no_node_process_ran_dies_when_one_returns(machine, named):
    pod = machine.run(named, "city1-b", "sleep", "705")
    doomed = machine.processes(pod)
    process.stop([process.find(machine.inventory, "node-city1-b")], 0)
    machine.delete(named)
    assert all(one.alive for one in doomed), "a delete in the API is not a death"
    machine.start_node("city1-b")
    until(lambda: not any(one.alive for one in doomed), "orphan killed", 10)


def test_a_pod_whose_first_process_is_killed_gets_a_new_sandbox(machine, named):
    pod = machine.run(named, "city1-a", "sleep", "706")
    (machine.group(pod) / "cgroup.kill").write_text("1")
    again = until(
        lambda: (
            (p := machine.pod(named))["status"]["containerStatuses"][0]["restartCount"] == 1
            and machine.condition(p, "Ready")
            and p
        ),
        "new sandbox",
        10,
    )
    assert again["metadata"]["uid"] == pod["metadata"]["uid"]
    assert again["status"]["podIP"] != pod["status"]["podIP"]
    assert again["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 137


@pytest.mark.parametrize(
    ("change", "reason", "said"),
    [
        ({"container": {"image": "nope:1"}}, "ErrImagePull", "no image 'nope:1'"),
        (
            {"container": {"image": "nope:1", "imagePullPolicy": "Never"}},
            "ErrImageNeverPull",
            'Container image "nope:1" is not present with pull policy of Never',
        ),
        ({"container": {"command": ["/does/not/exist"]}}, "CrashLoopBackOff", ""),
        ({"container": {"command": []}}, "CreateContainerError", "no command"),
        (
            {"container": {"envFrom": [{"configMapRef": {"name": "absent"}}]}},
            "CreateContainerConfigError",
            "not found",
        ),
        ({"securityContext": {"runAsNonRoot": True}}, "CreateContainerConfigError", "runAsNonRoot"),
        (
            {
                "container": {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                "volumes": [{"name": "v", "secret": {"secretName": "absent"}}],
            },
            "CreateContainerConfigError",
            "not found",
        ),
    ],
)
def test_what_cannot_run_says_why(machine, named, change, reason, said):
    machine.run(named, "city1-a", "sleep", "1", ready=False, **change)

    def waiting():
        statuses = machine.status(named).get("containerStatuses") or [{}]
        found = statuses[0].get("state", {}).get("waiting", {})
        return found if found.get("reason") == reason else None

    assert said in until(waiting, reason, 10).get("message", "")
    assert machine.status(named)["phase"] in {"Pending", "Running"}


def test_what_the_lab_cannot_honour_is_refused_with_the_field(machine, named):
    with pytest.raises(urllib.error.HTTPError) as caught:
        machine.run(named, "city1-a", "sleep", "1", ready=False, hostIPC=True)
    status = json.loads(caught.value.read())
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert status["details"]["causes"][0]["field"] == "spec.hostIPC"


@pytest.mark.parametrize(("policy", "code", "phase"), [("OnFailure", 0, "Succeeded"), ("Never", 3, "Failed")])
def test_a_pod_that_is_not_to_run_for_ever_ends(machine, named, policy, code, phase):
    before = machine.version()
    machine.run(named, "city1-a", "sh", "-c", f"exit {code}", restartPolicy=policy, ready=False)
    until(lambda: machine.status(named).get("phase") == phase, phase, 10)
    assert machine.ended(named, before)["exitCode"] == code
    assert machine.container(named)["restartCount"] == 0


def test_another_image_ends_what_runs_and_starts_that(machine, named):
    before = machine.version()
    machine.run(named, "city1-a", "sleep", "715", terminationGracePeriodSeconds=1)
    image = {"spec": {"containers": [{"name": "c", "image": "nope:1"}]}}
    machine.call("PATCH", f"/api/v1/namespaces/default/pods/{named}", image, patch="strategic-merge")
    until(lambda: machine.container(named)["image"] == "nope:1" and machine.ended(named, before), "ended", 10)
    image["spec"]["containers"][0]["image"] = "stormbank:dev"
    machine.call("PATCH", f"/api/v1/namespaces/default/pods/{named}", image, patch="strategic-merge")
    until(lambda: machine.condition(machine.pod(named), "Ready"), "runs again", 15)


def test_on_failure_a_pod_is_tried_again_until_it_succeeds(machine, named):
    container = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    code = "test -e /v/tried && exit 0; touch /v/tried; exit 7"
    volumes = [{"name": "v", "emptyDir": {}}]
    machine.run(
        named,
        "city1-a",
        "sh",
        "-c",
        code,
        container=container,
        volumes=volumes,
        restartPolicy="OnFailure",
        ready=False,
    )
    until(lambda: machine.status(named).get("phase") == "Succeeded", "success", 10)
    found = machine.container(named)
    assert (found["restartCount"], found["state"]["terminated"]["reason"]) == (1, "Completed")
    assert found["lastState"]["terminated"]["exitCode"] == 7


def test_liveness_restarts_and_readiness_takes_out_of_service(machine, named):
    container = {
        "livenessProbe": {
            "exec": {"command": ["test", "-e", "/run/live"]},
            "periodSeconds": 1,
            "failureThreshold": 1,
        },
        "readinessProbe": {
            "exec": {"command": ["test", "-e", "/run/ready"]},
            "periodSeconds": 1,
            "failureThreshold": 1,
        },
        "startupProbe": {
            "exec": {"command": ["test", "-e", "/run/live"]},
            "periodSeconds": 1,
            "failureThreshold": 9,
        },
    }
    code = "touch /run/live /run/ready; sleep 1.5; rm /run/ready; sleep 2.5; rm /run/live; exec sleep 710"
    machine.run(named, "city1-a", "sh", "-c", code, container=container, terminationGracePeriodSeconds=1)
    until(lambda: not machine.condition(machine.pod(named), "Ready"), "not ready", 5)
    assert machine.status(named)["containerStatuses"][0]["restartCount"] == 0
    until(lambda: machine.status(named)["containerStatuses"][0]["restartCount"] == 1, "restart", 8)


def test_containers_restart_while_the_api_is_out_of_reach(machine, named):
    machine.call(
        "POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": named}, "data": {"k": "v"}}
    )
    container = {"envFrom": [{"configMapRef": {"name": named}}]}
    pod = machine.run(named, "city1-a", "sh", "-c", "echo $k; exec sleep 711", container=container)
    api = process.find(machine.inventory, "api-city1")
    api.signal(signal.SIGSTOP)
    try:
        start = time.perf_counter()
        (machine.group(pod) / "c" / "cgroup.kill").write_text("1")
        log = machine.state / "pods" / pod["metadata"]["uid"] / "c.previous.log"
        until(log.exists, "restart", 5)
        assert elapsed_ms(start) < 1500
    finally:
        api.signal(signal.SIGCONT)
    until(lambda: machine.status(named)["containerStatuses"][0]["restartCount"] == 1, "status caught up", 15)
