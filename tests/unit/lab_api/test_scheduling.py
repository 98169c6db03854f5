"""Which node a pod gets, and what is said when it gets none: requests, affinity between pods, places for pods."""

import pytest

from stormlab.api import kinds
from stormlab.api.bootstrap import bootstrap
from stormlab.api.eviction import evict
from stormlab.api.objects import Objects
from stormlab.api.removal import DeleteOptions
from stormlab.api.status import ApiError
from stormlab.api.store import Store
from stormlab.controllers.budgets import Budgets
from stormlab.controllers.scheduler import Scheduler

READY = {"type": "Ready", "status": "True"}
ZONE = "topology.kubernetes.io/zone"


class World:
    """Nodes a and b of two cores each, and a scheduler."""

    def __init__(self):
        self.objects = Objects(Store())
        bootstrap(self.objects, service_network="10.96.0.0/16", address="10.77.0.1", port=1)
        self.scheduler = Scheduler(self.objects)
        self.scheduler.start()
        self.woken = []
        self.objects.store.listen_all(self._heard)
        for name in ("a", "b"):
            offered = {"cpu": "2", "memory": "1Gi", "pods": "3"}
            self.objects.create(
                kinds.NODE,
                "",
                {
                    "metadata": {"name": name, "labels": {ZONE: name}},
                    "status": {"conditions": [READY], "allocatable": offered},
                },
            )

    def _heard(self, event):
        self.woken = list(self.scheduler.keys(event))

    def pod(self, name, requests=None, labels=None, **spec):
        """Make a pod and look at it: its node, or why it has none."""
        container = {"name": "c", "image": "x:1", "resources": {"requests": requests or {}}}
        tree = {
            "metadata": {"name": name, "labels": labels or {}},
            "spec": {"containers": [container], **spec},
        }
        self.objects.create(kinds.POD, "default", tree)
        return self.look(name)

    def look(self, name):
        self.scheduler.reconcile(("default", name))
        found = self.objects.get(kinds.POD, "default", name).tree
        conditions = {item["type"]: item for item in found["status"].get("conditions", ())}
        if (node := found["spec"].get("nodeName")) is not None:
            return node
        return conditions["PodScheduled"]["message"]

    def runs(self, name, *, ready=True):
        status = {"phase": "Running", "conditions": [{**READY, "status": "True" if ready else "False"}]}
        self.objects.update(kinds.POD, "default", name, {"metadata": {}, "status": status}, status=True)


@pytest.fixture
def world():
    return World()


def test_what_is_requested_is_kept_and_given_back(world):
    assert {world.pod("one", {"cpu": "1500m"}), world.pod("two", {"cpu": "1500m"})} == {"a", "b"}
    assert world.pod("three", {"cpu": "1"}) == (
        "0/2 nodes are available: 2 Insufficient cpu. "
        "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
    )
    assert world.pod("small", {"cpu": "500m"}) in {"a", "b"}, "what is left is enough"
    node = world.objects.get(kinds.POD, "default", "one").tree["spec"]["nodeName"]
    world.objects.update(
        kinds.POD, "default", "one", {"metadata": {}, "status": {"phase": "Succeeded"}}, status=True
    )
    assert world.look("three") == node, "a pod that has ended keeps nothing"


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ({"memory": "2Gi"}, "2 Insufficient memory"),
        ({"example.com/gpu": "1"}, "2 Insufficient example.com/gpu"),
    ],
)
def test_what_no_node_has_is_named(world, requests, said):
    assert f"0/2 nodes are available: {said}." in world.pod("big", requests)


def test_a_node_has_so_many_places(world):
    for number in range(6):
        assert world.pod(f"p{number}") in {"a", "b"}
    assert "2 Too many pods" in world.pod("one-more")


def test_each_node_may_have_its_own_reason(world):
    assert world.pod("one", {"cpu": "2"}, nodeSelector={ZONE: "a"}) == "a"
    said = world.pod("two", {"cpu": "1"}, nodeSelector={ZONE: "a"})
    assert said == (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector. "
        "preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, "
        "1 Preemption is not helpful for scheduling."
    )


def test_a_pod_waits_for_its_claim(world):
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    assert world.pod("db", volumes=volumes) == (
        '0/2 nodes are available: persistentvolumeclaim "data" not found. '
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    world.objects.create(kinds.CLAIM, "default", {"metadata": {"name": "data"}, "spec": spec})
    assert world.woken == [("default", "db")]
    assert world.look("db") in {"a", "b"}


def near(**labels):
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": ZONE}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_a_pod_goes_where_those_are_that_it_wants_near(world):
    said = world.pod("client", affinity=near(app="db"))
    assert "2 node(s) didn't match pod affinity rules" in said
    world.pod("filler", nodeSelector={ZONE: "a"})
    assert world.pod("db", labels={"app": "db"}, nodeSelector={ZONE: "b"}) == "b"
    assert world.look("client") == "b"


def test_the_first_of_those_that_want_each_other_near_goes_anywhere(world):
    first = world.pod("one", labels={"app": "x"}, affinity=near(app="x"))
    assert world.pod("two", labels={"app": "x"}, affinity=near(app="x")) == first


@pytest.mark.parametrize(
    ("policy", "healthy", "goes"),
    [("IfHealthyBudget", 2, True), ("IfHealthyBudget", 1, False), ("AlwaysAllow", 1, True)],
)
def test_a_pod_that_serves_nobody_may_go_while_enough_others_do_or_always(world, policy, healthy, goes):
    for number in range(3):
        world.pod(f"p{number}", labels={"app": "x"})
        world.runs(f"p{number}", ready=number < healthy)
    spec = {
        "minAvailable": 2,
        "selector": {"matchLabels": {"app": "x"}},
        "unhealthyPodEvictionPolicy": policy,
    }
    world.objects.create(kinds.DISRUPTION_BUDGET, "default", {"metadata": {"name": "b"}, "spec": spec})
    Budgets(world.objects).reconcile(("default", "b"))
    if goes:
        evict(world.objects, "default", "p2", DeleteOptions())
        return
    with pytest.raises(ApiError) as caught:
        evict(world.objects, "default", "p2", DeleteOptions())
    assert caught.value.code == 429
