"""Stops that come at the worst moment: while a fault is being applied, and while the estate is waited for."""

import threading
import time
from dataclasses import dataclass, field

import pytest

from stormdrill.drill.injector import Injector
from stormdrill.drill.lock import Lock
from stormdrill.drill.stop import Stop
from stormdrill.errors import Aborted
from stormdrill.estate import DrillLock
from stormdrill.faults import Injection, Proof
from stormdrill.faults.pod_kill import PodKill
from stormdrill.faults.primary_crash import PrimaryCrash
from stormdrill.kube import Lease


@dataclass
class Slow:
    """A fault that has hurt when `applied` lets it go on."""

    applied: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    kind: str = "slow"

    def rehearse(self, estate):
        pass

    def inject(self, estate, name):
        estate.record("fault.intended", name=name)
        self.begun.set()
        self.applied.wait(20)
        return Injection(name, time.monotonic_ns(), ({"pod": "p"},))

    def verify(self, estate, injection):
        return Proof(True, "hurt")

    def revert(self, estate, injection, deadline_s):
        return Proof(True, "whole")


@pytest.fixture
def stopped(estate):
    """An injector that was stopped while it applied a fault; the fault, and whoever asked for it."""
    stop, fault = Stop(), Slow()
    injector = Injector(estate, stop)
    asking = threading.Thread(target=injector.inject, args=("slow", fault))
    asking.start()
    assert fault.begun.wait(5)
    stop.request("enough", "user")
    yield injector, fault
    fault.applied.set()
    asking.join(5)


def test_a_stop_waits_for_the_fault_under_way_and_reverts_it(estate, stopped):
    injector, fault = stopped
    threading.Timer(0.3, fault.applied.set).start()
    assert injector.revert_all(5)
    kinds = [kind for kind, _ in estate.record]
    assert sorted(kinds) == ["fault.applied", "fault.intended", "fault.proven", "fault.reverted"]
    assert kinds.index("fault.applied") < kinds.index("fault.reverted")


def test_after_a_stop_no_fault_begins(estate, stopped):
    injector, fault = stopped
    fault.applied.set()
    further = Slow()
    further.applied.set()
    with pytest.raises(Aborted):
        injector.inject("further", further)
    assert not further.begun.is_set()


def test_a_fault_that_never_ends_its_application_is_not_called_over(estate, stopped, monkeypatch):
    monkeypatch.setattr("stormdrill.drill.injector.UNDER_WAY_S", 0.2)
    injector, _ = stopped
    assert not injector.revert_all(5)
    (said,) = estate.record.of("fault.not_restored")
    assert said["name"] == "slow-1"


def stopped_after(stop, seconds, call):
    """How long a call takes that meets a stop on its way."""
    threading.Timer(seconds, stop.request, ("enough", "user")).start()
    began = time.monotonic()
    result = call()
    return result, time.monotonic() - began


@pytest.mark.parametrize(
    ("fault", "behaviour"),
    [
        (PodKill("web"), ({"replace_s": None}, {})),
        (PrimaryCrash(), ({"crash": "restart"}, {"standby": "async"})),
    ],
)
def test_a_stop_shortens_the_wait_for_an_estate_that_does_not_come_back(
    fake, estate, monkeypatch, fault, behaviour
):
    monkeypatch.setattr("stormdrill.drill.injector.STOPPED_REVERT_S", 1.0)
    stop = Stop()
    injector = Injector(estate, stop)
    before, after = behaviour
    fake.behave(**before)
    injector.inject("fault", fault)
    fake.behave(**after)
    whole, lasted_s = stopped_after(stop, 0.5, lambda: injector.revert_all(60))
    assert not whole
    assert lasted_s < 15
    assert len(estate.record.of("fault.not_restored")) == 1


def test_a_stop_ends_the_wait_for_somebody_elses_lock(cluster):
    Lease(cluster, "shop", "drill", "somebody on another machine", 15).acquire()
    stop = Stop()

    def take():
        with pytest.raises(Aborted):
            Lock(cluster, DrillLock("shop", "drill")).take(stop)

    _, lasted_s = stopped_after(stop, 0.3, take)
    assert lasted_s < 8
