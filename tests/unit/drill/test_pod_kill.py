"""Pod kill against an API at the wire: what it kills, what it refuses, and when it believes in a death."""

import threading
import time

import pytest

from stormdrill.drill.injector import Injector
from stormdrill.drill.stop import Stop
from stormdrill.errors import Aborted, ActionError
from stormdrill.faults.pod_kill import PodKill
from stormdrill.faults.registry import fault_of


def test_the_pod_dies_without_grace_bound_to_its_uid_and_is_replaced(fake, estate):
    fault = PodKill("web", zone="z1", count=1)
    before = time.monotonic_ns()
    injection = fault.inject(estate, "kill-1")
    assert before <= injection.t0_ns <= time.monotonic_ns()
    (target,) = injection.targets
    assert target["zone"] == "z1"
    assert fake.calls() == [f"DELETE {target['pod']} grace=0"]
    proof = fault.verify(estate, injection)
    assert proof.ok, proof.why
    assert proof.evidence["pods"][0]["web"]["exit"] == 137
    assert fault.revert(estate, injection, 5).ok
    (replaced,) = estate.record.of("pod.replaced")
    assert replaced["old"]["uid"] == target["uid"]
    assert replaced["new"]["uid"] != target["uid"]
    assert replaced["new"]["started_at"]


def test_the_intent_is_recorded_before_the_kill(estate):
    PodKill("web").inject(estate, "kill-1")
    kinds = [kind for kind, _ in estate.record]
    assert kinds == ["fault.intended", "pod.killed"]


def test_the_same_seed_draws_the_same_pods(estate):
    estate.choose.seed(3)
    first = PodKill("web", count=2).inject(estate, "kill-1").targets
    zones = [target["zone"] for target in first]
    assert len({target["uid"] for target in first}) == 2
    assert set(zones) <= {"z1", "z2"}


def test_a_rehearsal_kills_nobody_and_knows_what_would_fail(fake, estate):
    PodKill("web", zone="each", count=2).rehearse(estate)
    with pytest.raises(ActionError, match="2 ready pods, 3 wanted"):
        PodKill("web", zone="each", count=3).rehearse(estate)
    assert fake.calls() == []
    assert estate.record == []


def test_a_share_is_rounded_up(fake, estate):
    assert len(PodKill("web", share=0.3).inject(estate, "kill-1").targets) == 2
    assert len(fake.calls()) == 2


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (PodKill("web", zone="z1", count=3), "2 ready pods, 3 wanted"),
        (PodKill("web", count=5), "4 ready pods, 5 wanted"),
    ],
)
def test_more_than_there_are_is_an_error_and_nothing_dies(fake, estate, fault, why):
    with pytest.raises(ActionError, match=why):
        fault.inject(estate, "kill-1")
    assert fake.calls() == []


def test_a_selector_that_matches_nothing_is_an_error(fake, estate, tmp_path):
    text = (tmp_path / "topology.yaml").read_text().replace("app: web", "app: wbe")
    (tmp_path / "topology.yaml").write_text(text)
    from dataclasses import replace

    from stormdrill import topology

    other = replace(estate, topology=topology.load(tmp_path / "topology.yaml"))
    with pytest.raises(ActionError, match=r"no pod of service web \(app=wbe\)"):
        PodKill("web").inject(other, "kill-1")
    assert fake.calls() == []


def test_a_kill_that_the_api_refuses_is_an_error(fake, estate):
    fake.behave(delete="refused")
    with pytest.raises(ActionError, match="refused every kill"):
        PodKill("web").inject(estate, "kill-1")


def test_a_process_that_lives_on_is_no_proof(fake, estate, monkeypatch):
    monkeypatch.setattr("stormdrill.faults.pod_kill.DEATH_S", 0.5)
    fake.behave(exec="survives")
    fault = PodKill("web")
    injection = fault.inject(estate, "kill-1")
    proof = fault.verify(estate, injection)
    assert not proof.ok
    assert "still runs" in proof.why


def test_a_stream_that_is_only_lost_is_no_proof(fake, estate):
    fake.behave(exec="lost")
    fault = PodKill("web")
    proof = fault.verify(estate, fault.inject(estate, "kill-1"))
    assert not proof.ok
    assert "lost without an exit status" in proof.why


def test_without_the_right_to_exec_the_kill_is_not_proven(fake, estate):
    fake.behave(exec="refused")
    fault = PodKill("web")
    injection = fault.inject(estate, "kill-1")
    assert len(injection.targets) == 1
    proof = fault.verify(estate, injection)
    assert not proof.ok
    assert "pods/exec is forbidden" in proof.why


def test_a_pod_that_is_not_replaced_is_said_so(fake, estate):
    fake.behave(replace_s=None)
    fault = PodKill("web", zone="z2")
    injection = fault.inject(estate, "kill-1")
    proof = fault.revert(estate, injection, 0.5)
    assert not proof.ok
    assert injection.targets[0]["pod"] in proof.why


def test_the_injector_proves_follows_and_reverts(estate):
    injector = Injector(estate, Stop())
    assert injector.first_t0_ns is None
    result = injector.inject("kill_pods", PodKill("web", zone="z1"))
    assert result["name"] == "kill_pods-1"
    second = injector.inject("kill_pods", PodKill("web", zone="z2"))
    assert second["name"] == "kill_pods-2"
    assert injector.first_t0_ns < injector.last_t0_ns
    assert injector.revert_all(10)
    assert injector.all_proven
    record = estate.record
    assert [data["name"] for data in record.of("fault.applied")] == ["kill_pods-1", "kill_pods-2"]
    assert all(data["ok"] for data in record.of("fault.proven"))
    assert [data["name"] for data in record.of("fault.reverted")] == ["kill_pods-2", "kill_pods-1"]
    assert len(record.of("pod.replaced")) == 2


def test_after_a_stop_the_injector_refuses(fake, estate):
    stop = Stop()
    injector = Injector(estate, stop)
    stop.request("enough", "guard")
    with pytest.raises(Aborted):
        injector.inject("kill_pods", PodKill("web"))
    assert fake.calls() == []


def test_a_stop_between_choice_and_kill_kills_nothing(fake, estate):
    from dataclasses import replace

    stop = Stop()
    asked = threading.Event()

    def check():
        asked.set()
        stop.request("now", "user")
        stop.check()

    with pytest.raises(Aborted):
        PodKill("web").inject(replace(estate, check_stop=check), "kill-1")
    assert asked.is_set()
    assert fake.calls() == []


def test_actions_become_faults():
    fault = fault_of("kill_pods", {"service": "web", "zone": "", "count": 1, "share": "50%"})
    assert fault == PodKill("web", "", 1, 0.5)
    with pytest.raises(ActionError, match="no fault 'kill_everything'"):
        fault_of("kill_everything", {})
    with pytest.raises(ActionError, match="not a ratio"):
        fault_of("kill_pods", {"service": "web", "zone": "", "count": 1, "share": "half"})


def test_each_zone_loses_as_many_in_one_injection(fake, estate):
    injection = PodKill("web", zone="each", count=1).inject(estate, "kill-1")
    assert [target["zone"] for target in injection.targets] == ["z1", "z2"]
    assert len(fake.calls()) == 2


def test_each_zone_must_have_enough(fake, estate):
    with pytest.raises(ActionError, match="in zone z1 has 2 ready pods, 3 wanted"):
        PodKill("web", zone="each", count=3).inject(estate, "kill-1")
    assert fake.calls() == []
