"""What "ready" means, said as what is missing."""

from stormlab.observe import Member, pod_trouble
from stormlab.preset import PatroniReady
from stormlab.ready import _roles, _unready

PAIR = PatroniReady("app=pg", "city1", 8008, ("leader", "sync_standby"))


def member(name, role, state):
    return Member("cell0", name, role, state, 1, None)


def live(kind="Deployment", generation=2, **status):
    return {
        "kind": kind,
        "metadata": {"generation": generation},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 2, "updatedReplicas": 2, "readyReplicas": 2} | status,
    }


def test_a_workload_is_ready_when_all_pods_of_its_present_version_are():
    assert _unready("Deployment", live()) == ""
    assert _unready("Deployment", live(readyReplicas=1)) == "1 of 2 pods ready"
    assert _unready("Deployment", live(updatedReplicas=1)) == "1 of 2 pods are of the present version"
    assert _unready("Deployment", live(readyReplicas=3)) == "3 of 2 pods ready"
    assert _unready("Deployment", live(generation=3)) == "not yet seen by its controller"
    assert _unready("Deployment", None) == "is not there"
    assert (
        _unready("StatefulSet", {"metadata": {"generation": 1}, "spec": {}})
        == "not yet seen by its controller"
    )


def test_a_daemon_set_counts_nodes():
    status = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3}
    assert _unready("DaemonSet", live(**status)) == ""
    assert _unready("DaemonSet", live(**status | {"numberReady": 2})) == "2 of 3 pods ready"


def test_a_pair_needs_its_leader_and_a_standby_that_streams():
    leader, standby = member("a", "leader", "running"), member("b", "sync_standby", "streaming")
    assert list(_roles(PAIR, [leader, standby])) == []
    assert list(_roles(PAIR, [leader])) == ["city1: no sync standby yet (a leader running)"]
    assert list(_roles(PAIR, [])) == [
        "city1: no leader yet (no members)",
        "city1: no sync standby yet (no members)",
    ]
    replica = member("b", "replica", "streaming")
    assert len(list(_roles(PAIR, [leader, replica]))) == 1, (
        "an asynchronous standby is not what was asked for"
    )
    starting = member("b", "sync_standby", "starting")
    assert len(list(_roles(PAIR, [leader, starting]))) == 1


def test_two_of_a_role_are_counted():
    both = PatroniReady("app=pg", "r", 8008, ("leader", "replica", "replica"))
    leader, one = member("a", "leader", "running"), member("b", "replica", "streaming")
    assert len(list(_roles(both, [leader, one]))) == 1
    assert list(_roles(both, [leader, one, member("c", "replica", "streaming")])) == []


def test_why_a_pod_is_not_ready():
    waiting = {
        "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no image x"}}}]
    }
    assert pod_trouble({"status": waiting}) == "ErrImagePull no image x"
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}
    assert pod_trouble({"status": {"conditions": [unscheduled]}}) == "Unschedulable no node"
    assert pod_trouble({"status": {"phase": "Running"}}) == "Running"
    assert pod_trouble({}) == "unknown"
