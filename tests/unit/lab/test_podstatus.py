"""The status a node writes, for each state its containers can be in."""

from stormlab.node.podspec import parse
from stormlab.node.podstatus import View, pod_status
from stormlab.node.probe import Health

POD = {
    "metadata": {"uid": "u", "namespace": "bank", "name": "p"},
    "spec": {"containers": [{"name": "c", "image": "i:1", "command": ["x"]}]},
}
SPEC = parse(POD)
ADDRESSES = {"podIP": "10.77.1.2", "hostIP": "10.77.1.1"}


def state(**changes):
    base = {"attempt": 0, "pid": 7, "started_at": 100.0, "finished_at": None, "exit_code": None}
    return {**base, "signal": None, "message": "", "last": None, **changes}


def status(*, old=None, now=200.0, **changes):
    base = {"state": state(), "waiting": ("ContainerCreating", ""), "ready": True, "started": True}
    view = View(SPEC.containers[0], **{**base, "will_restart": False, **changes})
    return pod_status(SPEC, [view], ADDRESSES, old=old or {}, now=now)


def condition(found, kind):
    return next(one for one in found["conditions"] if one["type"] == kind)


def test_not_started():
    found = status(state=None, ready=False, started=False)
    assert found["phase"] == "Pending"
    assert found["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}


def test_running_and_ready():
    found = status()
    assert found["phase"] == "Running"
    assert condition(found, "Ready")["status"] == "True"
    assert found["containerStatuses"][0]["state"]["running"]["startedAt"] == "1970-01-01T00:01:40Z"
    assert found["podIP"] == "10.77.1.2"


def test_crashed_and_waiting_for_its_restart():
    ended = state(attempt=2, finished_at=150.0, exit_code=137, signal=9)
    found = status(state=ended, ready=False, will_restart=True, waiting=("CrashLoopBackOff", "why"))
    container = found["containerStatuses"][0]
    assert found["phase"] == "Running"
    assert container["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "why"}}
    assert container["lastState"]["terminated"]["exitCode"] == 137
    assert container["lastState"]["terminated"]["signal"] == 9
    assert container["restartCount"] == 2
    assert condition(found, "Ready")["reason"] == "ContainersNotReady"


def test_how_it_ended_is_shown_until_it_waits():
    ended = state(attempt=1, finished_at=150.0, exit_code=7)
    found = status(state=ended, ready=False, will_restart=True, waiting=None)
    container = found["containerStatuses"][0]
    assert found["phase"] == "Running"
    assert (container["state"]["terminated"]["exitCode"], container["lastState"]) == (7, {})


def test_ended_for_good():
    done = status(state=state(finished_at=150.0, exit_code=0), ready=False)
    assert done["phase"] == "Succeeded"
    assert condition(done, "Ready")["reason"] == condition(done, "Initialized")["reason"] == "PodCompleted"
    failed = status(state=state(finished_at=150.0, exit_code=3), ready=False)
    assert failed["phase"] == "Failed"
    assert failed["containerStatuses"][0]["state"]["terminated"]["reason"] == "Error"


def test_conditions_keep_their_time_until_they_change_and_lose_their_reason_by_null():
    waiting = status(ready=False, now=200.0)
    again = status(ready=False, old=waiting, now=300.0)
    assert (
        condition(again, "Ready")["lastTransitionTime"] == condition(waiting, "Ready")["lastTransitionTime"]
    )
    ready = status(old=again, now=400.0)
    assert condition(ready, "Ready")["lastTransitionTime"] == "1970-01-01T00:06:40Z"
    assert condition(ready, "Ready")["reason"] is None
    assert ready["startTime"] == waiting["startTime"]


def test_a_restart_of_the_node_process_keeps_readiness_where_a_probe_decides_it():
    probe = {"readinessProbe": {"tcpSocket": {"port": 1}}}
    plain = SPEC.containers[0]
    body = {**POD, "spec": {"containers": [{**POD["spec"]["containers"][0], **probe}]}}
    probed = parse(body).containers[0]
    assert Health(plain, (False, False)).ready
    assert Health(probed, (True, True)).ready
    assert not Health(probed, (False, True)).ready
    assert not Health(probed).ready


def test_who_was_killed_for_memory_says_so_in_both_states():
    ended = state(attempt=1, finished_at=150.0, exit_code=137, signal=9, oom_killed=True)
    found = status(state=ended, ready=False, will_restart=True, waiting=("CrashLoopBackOff", "why"))
    assert found["containerStatuses"][0]["lastState"]["terminated"]["reason"] == "OOMKilled"
    done = status(state=ended, ready=False)
    assert done["containerStatuses"][0]["state"]["terminated"]["reason"] == "OOMKilled"
    other = status(state=state(finished_at=150.0, exit_code=137, signal=9, oom_killed=False), ready=False)
    assert other["containerStatuses"][0]["state"]["terminated"]["reason"] == "Error"


INITS = parse(
    {
        **POD,
        "spec": {
            **POD["spec"],
            "initContainers": [{"name": n, "image": "i:1", "command": ["x"]} for n in "ij"],
        },
    }
)


def preparing(*states, now=200.0, will_restart=True):
    """Status of a pod with two containers that prepare it, in these states."""
    base = {"waiting": ("ContainerCreating", ""), "started": False, "will_restart": will_restart}
    first = [
        View(container, state=found, ready=found is not None and found["exit_code"] == 0, **base)
        for container, found in zip(INITS.inits, states, strict=True)
    ]
    main = View(INITS.containers[0], state=None, ready=False, **base)
    return pod_status(INITS, [main], ADDRESSES, first=first, old={}, now=now)


def test_a_pod_that_is_being_prepared():
    done = state(finished_at=150.0, exit_code=0)
    found = preparing(done, state())
    assert found["phase"] == "Pending"
    assert condition(found, "Initialized")["reason"] == "ContainersNotInitialized"
    assert condition(found, "Initialized")["message"] == "containers with incomplete status: [j]"
    assert [item["ready"] for item in found["initContainerStatuses"]] == [True, False]
    assert found["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    both = preparing(done, done)
    assert condition(both, "Initialized")["status"] == "True"
    assert both["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}


def test_a_pod_whose_preparation_failed_for_good():
    failed = state(finished_at=150.0, exit_code=3)
    assert preparing(failed, None)["phase"] == "Pending"
    assert preparing(failed, None, will_restart=False)["phase"] == "Failed"
