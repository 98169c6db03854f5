"""A guard that gets no answers says so after its grace period; one failing query leaves the others theirs."""

import threading
from types import SimpleNamespace

import pytest

from stormdrill import wait
from stormdrill.drill.samplers import PrometheusSampler
from stormdrill.guard import Guard
from stormdrill.limit import Limit
from stormdrill.prometheus import Prometheus
from stormdrill.scenario import GuardRule


def rule(name, query, limit="<= 5", grace_s=0.2):
    return GuardRule(name, None, query, Limit.parse(limit), grace_s, objective=False)


@pytest.fixture
def guarded(fake, estate):
    """A session with two PromQL rules, of which the second is always broken; its sampler."""
    reasons = []
    rules = (rule("queue", "max(queue)", grace_s=0.2), rule("one", "max(one)", "<= 0", grace_s=0.5))
    active = threading.Event()
    active.set()
    session = SimpleNamespace(
        guard=Guard(rules, lambda reason, which: reasons.append(which.id)),
        guard_active=active, record=estate.record, reasons=reasons,
    )  # fmt: skip
    session.sampler = PrometheusSampler(session, Prometheus(fake.url, 0.3))
    return session


def sample_until(session, kind):
    def seen():
        session.sampler.sample()
        return session.record.of(kind)

    return wait.until(seen, deadline_s=10, what=kind, poll_s=0.05)


def test_a_failing_query_is_told_once_and_leaves_the_others(fake, guarded):
    fake.behave(failing="queue")
    guarded.sampler.sample()
    assert guarded.record.of("guard.blind") == []
    (told,) = sample_until(guarded, "guard.blind")
    assert told["name"] == "queue"
    assert "found duplicate series" in told["why"]
    wait.until(lambda: guarded.sampler.sample() or guarded.reasons, deadline_s=10, what="the other rule")
    assert set(guarded.reasons) == {"one"}
    assert len(guarded.record.of("guard.blind")) == 1
    fake.behave(failing="")
    (seen,) = sample_until(guarded, "guard.sees")
    assert seen["name"] == "queue"


def test_a_silent_prometheus_blinds_every_rule(fake, guarded):
    fake.behave(prometheus="silent")
    wait.until(
        lambda: guarded.sampler.sample() or len(guarded.record.of("guard.blind")) == 2,
        deadline_s=10, what="both rules blind", poll_s=0.05,
    )  # fmt: skip
    assert guarded.record.of("prometheus.error")
    assert guarded.reasons == []


def test_before_the_steady_phase_nobody_is_asked(fake, guarded):
    guarded.guard_active.clear()
    fake.behave(prometheus="silent")
    guarded.sampler.sample()
    guarded.sampler.sample()
    assert guarded.record.of("guard.blind") == []
