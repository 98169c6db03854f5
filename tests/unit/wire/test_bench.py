"""A bench on a member's volume, with a real API server and nobody who runs pods but the test."""

import itertools
import threading

import pytest

from stormdrill import wait
from stormdrill.direct.bench import Bench
from stormdrill.errors import ActionError

NAMESPACES = (f"bench-{number}" for number in itertools.count())
CONTAINERS = [{"name": "pg", "image": "pg"}]


@pytest.fixture
def bench(api):
    cluster, namespace = api.cluster(), next(NAMESPACES)
    cluster.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    spec = {
        "serviceName": "pg",
        "replicas": 0,
        "selector": {"matchLabels": {"app": "pg"}},
        "template": {"metadata": {"labels": {"app": "pg"}}, "spec": {"containers": CONTAINERS}},
    }
    body = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "pg-a"}, "spec": spec}
    cluster.create(f"/apis/apps/v1/namespaces/{namespace}/statefulsets", body)
    spec = {"nodeName": "node-a", "containers": CONTAINERS}
    cluster.create(f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": "pg-a-0"}, "spec": spec})
    return Bench(cluster, namespace, "pg-a", "pg-a-0", "pg")


def pods(bench):
    found = bench.cluster.list(f"/api/v1/namespaces/{bench.namespace}/pods")
    return [pod["metadata"]["name"] for pod in found]


def end_member(bench, grace_s):
    bench.cluster.delete(f"/api/v1/namespaces/{bench.namespace}/pods/{bench.member}", grace_s=grace_s)


def run(bench):
    """Stand in for the kubelet: say that it runs."""
    statuses = [
        {"name": "pg", "image": "pg", "imageID": "", "ready": True, "restartCount": 0,
         "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
    ]  # fmt: skip
    status = {"status": {"phase": "Running", "containerStatuses": statuses}}
    bench.cluster.patch(f"/api/v1/namespaces/{bench.namespace}/pods/{bench.pod}/status", status)


def test_a_member_that_is_still_being_ended_is_waited_for(bench):
    end_member(bench, grace_s=30)
    opening = threading.Thread(target=bench.open, daemon=True)
    opening.start()
    opening.join(0.5)
    assert (opening.is_alive(), pods(bench)) == (True, ["pg-a-0"])
    end_member(bench, grace_s=0)
    wait.until(lambda: pods(bench) == [bench.pod], deadline_s=10, what="the bench")
    run(bench)
    opening.join(10)
    assert not opening.is_alive()


def test_a_member_that_stays_is_refused_at_once(bench):
    with pytest.raises(ActionError, match="pg-a-0 still has its pod: its volume is not free"):
        bench.open()
    assert pods(bench) == ["pg-a-0"]


def test_a_member_that_never_ends_is_refused(bench, monkeypatch):
    monkeypatch.setattr("stormdrill.direct.bench._READY_S", 0.2)
    end_member(bench, grace_s=30)
    with pytest.raises(ActionError, match=r"the end of pod pg-a-0: not within 0.2 s: its volume is not free"):
        bench.open()
