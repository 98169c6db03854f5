"""Faults that agents hold, against an API at the wire whose agents and canaries do as real ones."""

import threading
import time
from dataclasses import replace

import pytest

from stormdrill.drill.injector import Injector
from stormdrill.drill.samplers import CanarySampler
from stormdrill.drill.stop import Stop
from stormdrill.errors import Aborted, ActionError, RevertError
from stormdrill.faults import leased
from stormdrill.faults.partition import Partition
from stormdrill.faults.registry import fault_of
from stormdrill.faults.site_loss import RegionLoss, ZoneLoss
from stormdrill.faultspec import Direction, NodeState
from stormdrill.kube import FaultObjects


@pytest.fixture
def objects(cluster):
    return FaultObjects(cluster)


@pytest.fixture
def injector(estate):
    """An injector that leaves nothing behind, whatever a test does."""
    made = Injector(estate, Stop())
    yield made
    made.revert_all(5)


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


def test_a_partition_is_applied_proven_reverted_and_removed(fake, estate, objects):
    fault = Partition("z1")
    fault.rehearse(estate)
    began = time.monotonic()
    injection = fault.inject(estate, "partition_zone-1")
    assert time.monotonic() - began < 2
    (made,) = objects.all()
    (target,) = made.spec.targets
    assert made.spec.lease_s == 15
    assert (target.node, target.zone) == ("node-z1", "z1")
    assert set(target.inside) == {"10.1.0.1/32", "10.2.0.0/24", "10.0.0.1/32"}
    assert target.outside == ("0.0.0.0/0",)
    proof = fault.verify(estate, injection)
    assert proof.ok, proof.why
    assert proof.evidence["nodes"]["node-z1"]["rules"] == 4
    gone = fault.revert(estate, injection, 5)
    assert gone.ok, gone.why
    assert gone.evidence["gone_after_s"] < 1
    assert objects.all() == ()
    assert fake.calls() == ["CREATE fault partition", "PATCH desired=reverted", "DELETE fault"]
    kinds = [kind for kind, _ in estate.record]
    assert kinds == ["fault.intended", "fault.reverting", "fault.gone"]


@pytest.mark.parametrize("direction", ["both", "in", "out"])
def test_a_partition_from_one_zone_breaks_that_pair_only(fake, estate, direction):
    fault = Partition("z1", "z2", direction)
    injection = fault.inject(estate, "cut-1")
    (target,) = injection.memory["cut"].targets
    assert "10.2.1.0/24" in target.outside
    assert "10.2.2.0/24" not in target.outside
    if direction != "both":
        assert target.directions == (Direction(direction),)
    proof = fault.verify(estate, injection)
    assert proof.ok, proof.why
    assert fault.revert(estate, injection, 5).ok


def test_the_zone_of_the_primary_is_the_one_it_is_in_now(fake, estate):
    assert [zone.name for zone in Partition("primary").cut(estate).zones] == ["z1"]
    fake.behave(replace_s=None)
    cluster = estate.clusters["east"]
    cluster.delete("/api/v1/namespaces/shop/pods/db-0", grace_s=0)
    with pytest.raises(ActionError, match=r"no leader now|no pod of that name"):
        Partition("primary").cut(estate)


def test_a_lost_zone_and_a_lost_region(estate, objects):
    for fault, nodes in ((ZoneLoss("z2"), 1), (RegionLoss("east"), 3)):
        injection = fault.inject(estate, "lost-1")
        (made,) = objects.all()
        assert made.spec.kind == "site-loss"
        assert len(made.spec.targets) == nodes
        assert fault.verify(estate, injection).ok
        assert fault.revert(estate, injection, 5).ok


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("blind", "should have broken and works: z1 to z2 (tcp-held)"),
        ("wide", "broke and should not have: z2 to z3"),
    ],
)
def test_the_flow_that_contradicts_the_fault_is_named(fake, estate, monkeypatch, how, why):
    monkeypatch.setattr(leased, "PROOF_S", 0.6)
    fake.behave(canaries=how)
    fault = Partition("z1")
    injection = fault.inject(estate, "cut-1")
    proof = fault.verify(estate, injection)
    assert not proof.ok
    assert why in proof.why
    fake.behave(canaries="ok")
    assert fault.revert(estate, injection, 5).ok


@pytest.mark.parametrize(
    ("how", "why"), [("failed", "node-z1 is failed: nft"), ("late", "node-z1 has said nothing")]
)
def test_what_is_not_applied_is_an_error_and_taken_back(fake, estate, monkeypatch, how, why):
    objects = FaultObjects(estate.clusters["east"])
    monkeypatch.setattr(leased, "APPLY_S", 0.5)
    fake.behave(agents=how)
    began = time.monotonic()
    with pytest.raises(ActionError, match=why):
        Partition("z1", lease_s=30).inject(estate, "cut-1")
    assert time.monotonic() - began < 5, (
        "an agent that failed has nothing to take away: no lease is waited for"
    )
    assert objects.all() == ()
    fake.behave(agents="ok")
    Partition("z1").rehearse(estate)


def test_what_failed_on_a_node_is_in_nobodys_way(fake, estate, objects):
    """The harness was killed before it could remove the object."""
    fake.behave(agents="failed")
    spec = Partition("z1")._spec(estate, Partition("z1").cut(estate))
    made = objects.create("left", spec)
    until(lambda: objects.all()[0].nodes)
    assert objects.all()[0].lasting == ()
    Partition("z1").rehearse(estate)
    objects.remove("left", made.uid)


def test_it_is_held_while_agents_apply_it(fake, estate):
    """An agent that has just started applies only what it sees to be held."""
    fake.behave(agents="wary")
    fault = Partition("z1", lease_s=1)
    injection = fault.inject(estate, "cut-1")
    assert fault.revert(estate, injection, 5).ok


def test_a_stop_while_agents_apply_takes_it_back_at_once(fake, estate, objects):
    fake.behave(agents="late")
    stop = Stop()
    threading.Timer(0.3, stop.request, ("enough", "user")).start()
    began = time.monotonic()
    with pytest.raises(Aborted):
        Partition("z1").inject(replace(estate, check_stop=stop.check), "cut-1")
    assert time.monotonic() - began < 3
    assert objects.all() == ()


def test_renewed_it_outlives_its_lease_and_without_us_it_ends_with_it(estate, objects):
    fault = Partition("z1", lease_s=1)
    injection = fault.inject(estate, "cut-1")
    time.sleep(1.6)
    (held,) = objects.all()
    assert held.lacking(NodeState.APPLIED) == ()
    injection.memory["ending"].keeper.stop()  # as if we were killed
    until(lambda: not objects.all()[0].lacking(NodeState.REVERTED), 3)
    assert objects.all()[0].nodes["node-z1"].reason == "lease"
    assert fault.revert(estate, injection, 5).ok


def test_an_early_end_is_recorded(estate, injector):
    injector.inject("cut", Partition("z1", lease_s=1))
    injector._applied[0].injection.memory["ending"].keeper.stop()
    until(lambda: estate.record.of("fault.ended_early"))
    (said,) = estate.record.of("fault.ended_early")
    assert (said["node"], said["reason"]) == ("node-z1", "lease")


def test_an_end_that_somebody_else_wanted_is_early_too(estate, objects, injector):
    injector.inject("cut", Partition("z1"))
    injector.inject("lose", ZoneLoss("z2"))
    cut, lost = objects.all()
    objects.end(cut.name)
    objects.remove(lost.name, lost.uid)
    until(lambda: len(estate.record.of("fault.ended_early")) == 2)
    said = {(data["node"], data["reason"]) for data in estate.record.of("fault.ended_early")}
    assert said == {("node-z1", "wanted"), ("node-z2", "deleted")}


def test_a_silent_agent_is_waited_for_until_its_lease_ends(fake, estate):
    fault = Partition("z1", lease_s=4)
    injection = fault.inject(estate, "cut-1")
    fake.behave(agents="silent")
    assert fault.revert(estate, injection, 1).ok
    (said,) = estate.record.of("fault.lingers")
    assert "node-z1 is applied" in said["why"]
    assert "lease of 4 s" in said["why"]


def test_what_stays_beyond_its_lease_is_not_reverted_and_not_deleted(fake, estate, objects, injector):
    injector.inject("cut", Partition("z1", lease_s=1))
    fake.behave(agents="stuck")
    with pytest.raises(RevertError, match="node-z1 is applied"):
        injector.heal()
    assert len(estate.record.of("revert.failed")) == 1
    assert len(objects.all()) == 1
    fake.behave(agents="ok")


def test_canaries_that_stay_red_are_said_by_name(fake, estate):
    fault = Partition("z1", "z2")
    injection = fault.inject(estate, "cut-1")
    fake.behave(canaries="down")
    proof = fault.revert(estate, injection, 0.5)
    assert not proof.ok
    assert "z2 to z3 (tcp-held)" in proof.why


def test_a_rehearsal_says_what_is_missing(fake, estate):
    fake.behave(agents="gone")
    with pytest.raises(ActionError, match="zone z1: no agent is ready on node-z1"):
        Partition("z1").rehearse(estate)
    with pytest.raises(ActionError, match="no canaries"):
        Partition("z1").rehearse(replace(estate, canaries=None))
    with pytest.raises(ActionError, match="no zone 'z9'"):
        Partition("z9").rehearse(estate)
    assert fake.calls() == []


def test_a_rehearsal_refuses_what_an_earlier_run_left(estate):
    fault = Partition("z1")
    injection = fault.inject(estate, "cut-1")
    with pytest.raises(ActionError, match="stormdrill recover"):
        ZoneLoss("z2").rehearse(estate)
    assert fault.revert(estate, injection, 5).ok


def test_heal_ends_what_is_named_and_a_stop_later_nothing_twice(fake, estate, injector):
    injector.inject("cut", Partition("z1", "z2"))
    injector.inject("cut", Partition("z1", "z3"))
    assert injector.heal("cut-1") == ["cut-1"]
    with pytest.raises(ActionError, match="cut-1 to heal"):
        injector.heal("cut-1")
    assert injector.revert_all(5)
    assert [data["name"] for data in estate.record.of("fault.reverted")] == ["cut-1", "cut-2"]
    assert fake.calls().count("DELETE fault") == 2


def test_all_are_asked_to_go_before_any_is_waited_for(fake, estate):
    injector = Injector(estate, Stop())
    injector.inject("cut", Partition("z1"))
    injector.inject("lose", ZoneLoss("z2"))
    assert injector.revert_all(10)
    calls = fake.calls()
    assert calls[2:4] == ["PATCH desired=reverted"] * 2


def test_an_abort_ends_the_proof_and_the_fault_within_five_seconds(fake, estate):
    fake.behave(canaries="blind")  # the proof waits for what does not come
    stop = Stop()
    injector = Injector(replace(estate, check_stop=stop.check), stop)
    injector.inject("cut", Partition("z1"))
    stop.request("enough", "user")
    began = time.monotonic()
    injector.revert_all(60)
    assert estate.record.of("fault.gone")
    assert time.monotonic() - began < 5


def test_the_sampler_tells_each_flow_once_and_then_its_changes(fake, estate):
    sampler = CanarySampler(estate.canaries, estate.record)
    sampler.sample()
    assert len(estate.record.of("canary.changed")) == 18
    sampler.sample()
    assert len(estate.record.of("canary.changed")) == 18
    fault = Partition("z1")
    injection = fault.inject(estate, "cut-1")
    sampler.sample()
    changed = {(d["zone"], d["peer"], d["path"]): d["up"] for d in estate.record.of("canary.changed")[18:]}
    assert changed["z2", "z1", "udp"] is False
    assert changed["z1", "z2", "udp"] is None
    assert len(changed) == 12
    assert fault.revert(estate, injection, 5).ok


def test_actions_become_faults():
    arguments = {"zone": "z1", "cut_from": "z2", "direction": "in", "lease": "30s"}
    assert fault_of("partition_zone", arguments) == Partition("z1", "z2", "in", 30)
    assert fault_of("lose_zone", {"zone": "z1", "lease": "", "duration": "5s"}) == ZoneLoss("z1")
    with pytest.raises(ActionError, match="direction must be both, in, out"):
        fault_of("partition_zone", {"zone": "z1", "direction": "up"})
