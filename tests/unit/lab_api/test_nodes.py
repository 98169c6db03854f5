"""Node life on a clock of the test's own: silence, Unknown, taints, and coming back."""

import datetime as dt

import pytest

from stormlab.api import kinds
from stormlab.api.bootstrap import bootstrap
from stormlab.api.objects import Objects
from stormlab.api.store import Store
from stormlab.controllers.nodes import NodeLife
from stormlab.controllers.taints import TaintEviction


class World:
    def __init__(self):
        self.now_s = 1000.0
        start = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
        self.objects = Objects(Store(), now=lambda: start + dt.timedelta(seconds=self.now_s))
        bootstrap(self.objects, service_network="10.96.0.0/16", address="10.77.0.1", port=1)
        self.life = NodeLife(self.objects, monotonic=lambda: self.now_s)
        self.eviction = TaintEviction(self.objects)
        self.objects.store.listen_all(lambda event: list(self.life.keys(event)))
        condition = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        self.objects.create(
            kinds.NODE, "", {"metadata": {"name": "a"}, "status": {"conditions": [condition]}}
        )
        self.beats = 0
        self.renew()

    def renew(self):
        self.beats += 1
        lease = {"metadata": {"name": "a"}, "spec": {"renewTime": f"2030-01-01T00:00:00.{self.beats:06}Z"}}
        existing = self.objects.get(kinds.LEASE, "kube-node-lease", "a")
        if existing is None:
            self.objects.create(kinds.LEASE, "kube-node-lease", lease)
        else:
            lease["metadata"]["resourceVersion"] = str(existing.version)
            self.objects.update(kinds.LEASE, "kube-node-lease", "a", lease)

    def pod(self, name, tolerations=()):
        spec = {
            "containers": [{"name": "c", "image": "x:1"}],
            "nodeName": "a",
            "tolerations": list(tolerations),
        }
        self.objects.create(kinds.POD, "default", {"metadata": {"name": name}, "spec": spec})
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        self.objects.update(kinds.POD, "default", name, {"metadata": {}, "status": status}, status=True)

    @property
    def node(self):
        return self.objects.get(kinds.NODE, "", "a").tree

    def ready(self):
        return self.node["status"]["conditions"][0]["status"]

    def pod_ready(self, name):
        return self.objects.get(kinds.POD, "default", name).tree["status"]["conditions"][0]["status"]


@pytest.fixture
def world():
    return World()


def test_a_silent_node_is_unknown_after_forty_seconds_and_not_before(world):
    world.pod("one")
    world.now_s += 39.9
    again_s = world.life.reconcile(("a",))
    assert (world.ready(), world.pod_ready("one")) == ("True", "True")
    assert again_s == pytest.approx(0.1, abs=0.02)
    world.now_s += 0.2
    world.life.reconcile(("a",))
    assert (world.ready(), world.pod_ready("one")) == ("Unknown", "False")
    effects = {taint["effect"] for taint in world.node["spec"]["taints"]}
    assert effects == {"NoSchedule", "NoExecute"}


def test_a_renewal_counts_and_the_same_renewal_again_does_not(world):
    world.now_s += 30
    world.renew()
    world.now_s += 30
    world.life.reconcile(("a",))
    assert world.ready() == "True"
    lease = world.objects.get(kinds.LEASE, "kube-node-lease", "a")
    tree = {
        "metadata": dict(lease.tree["metadata"]),
        "spec": {**lease.tree["spec"], "holderIdentity": "else"},
    }
    world.objects.update(kinds.LEASE, "kube-node-lease", "a", tree)
    world.now_s += 11
    world.life.reconcile(("a",))
    assert world.ready() == "Unknown"


def test_silence_does_not_count_before_this_process_began(world):
    world.now_s += 1000
    fresh = NodeLife(world.objects, monotonic=lambda: world.now_s)
    assert fresh.reconcile(("a",)) == pytest.approx(40, abs=0.1)
    assert world.ready() == "True"


def test_coming_back_takes_the_taints_away(world):
    world.now_s += 41
    world.life.reconcile(("a",))
    condition = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    world.objects.update(
        kinds.NODE, "", "a", {"metadata": {}, "status": {"conditions": [condition]}}, status=True
    )
    world.renew()
    world.life.reconcile(("a",))
    assert "taints" not in world.node["spec"]


def test_a_cordon_is_a_taint_too_and_others_stay(world):
    mine = {"key": "mine", "effect": "NoSchedule"}
    tree = {**world.node, "spec": {"unschedulable": True, "taints": [mine]}}
    world.objects.update(kinds.NODE, "", "a", tree)
    world.life.reconcile(("a",))
    assert [taint["key"] for taint in world.node["spec"]["taints"]] == [
        "mine",
        "node.kubernetes.io/unschedulable",
    ]


def test_pods_leave_when_their_own_toleration_runs_out(world):
    key = "node.kubernetes.io/unreachable"
    world.pod("default")
    world.pod("short", [{"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}])
    world.pod("ever", [{"key": key, "operator": "Exists"}])
    world.now_s += 41
    world.life.reconcile(("a",))
    waits = {name: world.eviction.reconcile(("default", name)) for name in ("default", "short", "ever")}
    assert waits == {"default": pytest.approx(300, abs=1), "short": pytest.approx(5, abs=1), "ever": None}
    world.now_s += 6
    world.eviction.reconcile(("default", "short"))
    pod = world.objects.get(kinds.POD, "default", "short")
    assert pod.deleting
    conditions = {item["type"]: item for item in pod.tree["status"]["conditions"]}
    assert conditions["DisruptionTarget"]["reason"] == "DeletionByTaintManager"
    assert not world.objects.get(kinds.POD, "default", "default").deleting
