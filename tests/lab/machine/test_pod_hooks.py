"""What a container does after its start and before its stop, and the time it has for it."""

import time

import pytest

from stormlab.wait import until

pytestmark = pytest.mark.lab
STAYS = "trap 'echo term; exit 0' TERM; echo up; while :; do sleep 0.05; done"


def hooks(**kinds):
    return {"lifecycle": {kind: {"exec": {"command": ["sh", "-c", code]}} for kind, code in kinds.items()}}


def kept(machine, pod):
    """The log of a pod, from the machine: it may be gone from the API."""
    return (machine.state / "pods" / pod["metadata"]["uid"] / "c.log").read_text()


def delete_and_follow(machine, name, grace_s):
    """Delete a pod; its last log, and how long it took."""
    pod = machine.pod(name)
    start = time.perf_counter()
    machine.delete(name, grace_s=grace_s)
    log = ""
    while machine.pod(name) is not None and time.perf_counter() - start < 20:
        try:
            log = kept(machine, pod)
        except OSError:
            break
    until(lambda: machine.pod(name) is None, "gone", 10)
    return log, time.perf_counter() - start


def test_it_is_told_before_the_signal(machine, named):
    container = hooks(preStop="sleep 0.4; touch /run/hooked")
    code = "trap 'ls /run; sleep 0.3; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    machine.run(named, "city1-a", "sh", "-c", code, container=container)
    until(lambda: "up" in machine.log(named), "start", 5)
    log, took_s = delete_and_follow(machine, named, 10)
    assert "hooked" in log
    assert 0.4 < took_s < 5


def test_a_pause_before_the_signal(machine, named):
    container = {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}
    machine.run(named, "city1-a", "sh", "-c", STAYS, container=container)
    _, took_s = delete_and_follow(machine, named, 10)
    assert 1.0 < took_s < 5


def test_a_hook_without_end_takes_the_grace_and_no_more(machine, named):
    pod = machine.run(named, "city1-a", "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done",
                      container=hooks(preStop="sleep 60"))  # fmt: skip
    doomed = machine.processes(pod)
    _, took_s = delete_and_follow(machine, named, 1)
    assert 1.0 < took_s < 8, "the grace, and two seconds for the signal"
    assert not any(one.alive for one in doomed)


def test_whoever_must_go_at_once_is_not_asked(machine, named):
    machine.run(named, "city1-a", "sh", "-c", STAYS, container=hooks(preStop="sleep 60"))
    _, took_s = delete_and_follow(machine, named, 0)
    assert took_s < 2


def test_it_does_not_count_as_running_before_its_start_is_over(machine, named):
    container = hooks(postStart="sleep 1; touch /run/started")
    pod = machine.run(
        named, "city1-a", "sh", "-c", "echo up; exec sleep 740", container=container, ready=False
    )
    log = machine.state / "pods" / pod["metadata"]["uid"] / "c.log"
    until(lambda: log.exists() and "up" in log.read_text(), "its program runs", 10)
    assert machine.container(named)["state"] == {"waiting": {"reason": "ContainerCreating"}}
    until(lambda: machine.condition(machine.pod(named), "Ready"), "ready", 10)
    assert machine.execute(named, "ls", "/run/started")[0] == 0


def test_a_start_that_fails_is_started_again(machine, named):
    before = machine.version()
    machine.run(named, "city1-a", "sleep", "741", container=hooks(postStart="exit 4"), ready=False,
                terminationGracePeriodSeconds=0)  # fmt: skip
    until(lambda: machine.container(named).get("restartCount", 0) >= 1, "restarted", 10)
    assert machine.ended(named, before)["exitCode"] == 137
