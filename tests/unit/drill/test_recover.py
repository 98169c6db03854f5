"""`stormdrill recover` on a fake estate: what a killed drill left is ended, proven to be gone, and said."""

import json
from dataclasses import replace

import pytest

from stormdrill.cli import main
from stormdrill.drill import remains
from stormdrill.drill.identity import Holder
from stormdrill.faults.partition import Partition
from stormdrill.faults.site_loss import ZoneLoss
from stormdrill.kube import FaultObjects, Lease

from .fake_agents import COLLECTION


@pytest.fixture
def recover(fake, estate, tmp_path, capsys):
    """Run the command; its exit code and what it printed."""

    def call(*more):
        kubeconfig = str(tmp_path / "kubeconfig")
        options = ["--topology", str(tmp_path / "topology.yaml"), "--kubeconfig", kubeconfig]
        code = main(["recover", *options, "--runs", str(tmp_path / "runs"), *more])
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


def abandon(estate, fault):
    """Inject a fault and renew it no more, as a killed harness."""
    injection = fault.inject(estate, "cut-1")
    injection.memory["ending"].keeper.stop()


def test_nothing_to_recover(recover):
    code, said = recover()
    assert (code, said.splitlines()[-1]) == (0, "nothing was left behind")


def test_faults_and_the_lock_of_a_dead_drill_are_removed(fake, estate, recover, cluster):
    dead = replace(Holder.me(), started=1)  # the pid is somebody else's by now
    Lease(cluster, "shop", "drill", str(dead), 15).acquire()
    abandon(estate, Partition("z1"))
    abandon(estate, ZoneLoss("z2"))
    code, said = recover("--json")
    assert code == 0, said
    report = json.loads(said.splitlines()[0])
    assert report["left"] == []
    assert f"the drill lock, held by {dead}: taken over and released" in report["found"]
    assert sum("gone, its agents say" in text for text in report["found"]) == 2
    assert FaultObjects(cluster).all() == ()
    assert Lease(cluster, "shop", "drill", "x").holder_now() is None


def test_what_does_not_go_is_named_and_exits_5(fake, estate, recover):
    fake.behave(agents="stuck")
    abandon(estate, Partition("z1", lease_s=1))
    code, said = recover()
    assert code == 5
    assert "LEFT: region east: fault cut-1-" in said
    assert "node-z1 is applied" in said
    fake.behave(agents="ok")


def test_what_one_fault_answers_keeps_no_other_from_being_ended(fake, estate, recover, cluster):
    abandon(estate, Partition("z1"))
    abandon(estate, ZoneLoss("z2"))
    unknown = {"kind": "earthquake", "targets": [], "renewal": 0, "leaseSeconds": 1, "desired": "applied"}
    objects = FaultObjects(cluster)
    cluster.create(COLLECTION, {"metadata": {"name": "a-first"}, "spec": unknown})
    fake.behave(agents="grumpy")
    code, said = recover()
    assert code == 5
    assert "LEFT: region east: fault a-first cannot be read" in said
    assert said.count("gone, its agents say") == 2
    assert [one.name for one in objects.legible()[0]] == []


def test_a_fault_that_failed_is_removed_and_left_nothing(fake, estate, recover, cluster):
    fake.behave(agents="failed")
    fault = Partition("z1")
    FaultObjects(cluster).create("left", fault._spec(estate, fault.cut(estate)))
    code, said = recover()
    assert (code, FaultObjects(cluster).all()) == (0, ()), said


def test_a_fault_of_a_node_that_left_the_cluster_is_in_nobodys_way(fake, estate, recover, cluster):
    fault = Partition("z1", lease_s=1)
    spec = fault._spec(estate, fault.cut(estate))
    (target,) = spec.targets
    fake.behave(agents="late")
    FaultObjects(cluster).create("left", replace(spec, targets=(replace(target, node="node-gone"),)))
    fake.behave(agents="stuck")
    code, said = recover()
    assert (code, FaultObjects(cluster).all()) == (0, ()), said
    assert "left (partition on node-gone, held by" in said
    assert "removed, its nodes are no longer in the cluster" in said


def test_red_canaries_are_no_recovery(fake, recover, monkeypatch):
    monkeypatch.setattr(remains, "GREEN_S", 0.3)
    fake.behave(canaries="down")
    code, said = recover()
    assert code == 5
    assert "LEFT: the canaries are not green: broken: z2 to z3" in said


def test_what_was_green_some_time_ago_is_no_recovery(fake, recover):
    fake.behave(age_s=100)
    code, said = recover()
    assert code == 5
    assert "LEFT: the canaries could not be asked: the newest sample" in said
    assert "is 100 s old" in said


def test_a_running_drill_is_left_alone(fake, estate, recover, cluster):
    Lease(cluster, "shop", "drill", str(Holder.me()), 15).acquire()
    abandon(estate, Partition("z1"))
    code, said = recover()
    assert code == 2
    assert "another drill is running" in said
    assert len(FaultObjects(cluster).all()) == 1
