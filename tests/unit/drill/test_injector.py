"""Stops that come at the worst moment: while a fault is being applied, and while the estate is waited for."""

import threading
import time
from dataclasses import dataclass, field

import pytest

from stormdrill.drill.injector import Injector
from stormdrill.drill.stop import Stop
from stormdrill.faults import Injection, Proof


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


def test_a_fault_that_never_ends_its_application_is_not_called_over(estate, stopped, monkeypatch):
    monkeypatch.setattr("stormdrill.drill.injector.UNDER_WAY_S", 0.2)
    injector, _ = stopped
    assert not injector.revert_all(5)
    (said,) = estate.record.of("fault.not_restored")
    assert said["name"] == "slow-1"
