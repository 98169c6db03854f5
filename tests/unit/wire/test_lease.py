"""The drill lock on a real API server: races, takeover, loss, release."""

import threading
import time
import uuid

import pytest

from stormdrill import wait
from stormdrill.kube import ApiError, Lease, LeaseHeldError


@pytest.fixture
def lease_of(api):
    """Leases of one fresh name, by holder."""
    name = f"drill-{uuid.uuid4().hex[:8]}"
    cluster = api.cluster()
    return lambda holder, duration_s=15: Lease(cluster, "default", name, holder, duration_s)


def test_one_holder_at_a_time(lease_of):
    first, second = lease_of("first"), lease_of("second")
    first.acquire()
    first.acquire()
    with pytest.raises(LeaseHeldError, match="first") as caught:
        second.acquire()
    assert caught.value.holder == "first"
    first.release()
    assert first.holder_now() is None
    second.acquire()
    assert second.holder_now() == "second"


def test_of_many_at_once_exactly_one_wins(lease_of):
    won = []

    def race(holder):
        try:
            lease_of(holder).acquire()
        except LeaseHeldError:
            return
        won.append(holder)

    threads = [threading.Thread(target=race, args=(f"h{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert lease_of("x").holder_now() == won[0]


def test_a_silent_holder_is_replaced_after_its_own_duration(lease_of):
    lease_of("silent", 1).acquire()
    began = time.monotonic()
    lease_of("next").acquire(wait_s=5)
    assert 0.9 <= time.monotonic() - began < 3
    assert lease_of("x").holder_now() == "next"


def test_a_renewing_holder_is_never_replaced(lease_of):
    alive = lease_of("alive", 1)
    alive.acquire()
    stop = threading.Event()

    def keep():
        while not stop.wait(0.3):
            alive.renew()

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        with pytest.raises(LeaseHeldError):
            lease_of("next").acquire(wait_s=2.5)
    finally:
        stop.set()
        keeper.join()
    assert alive.holder_now() == "alive"


def test_a_dead_holder_is_replaced_at_once(lease_of):
    lease_of("dead", 3600).acquire()
    with pytest.raises(LeaseHeldError):
        lease_of("next").acquire(is_dead=lambda holder: holder == "other")
    lease_of("next").acquire(is_dead=lambda holder: holder == "dead")
    lease = lease_of("next")._read()
    assert lease["spec"]["leaseTransitions"] == 1


def test_losing_the_lock_is_noticed_and_the_winner_is_left_alone(lease_of):
    loser, winner = lease_of("loser", 3600), lease_of("winner")
    loser.acquire()
    winner.acquire(is_dead=lambda _: True)
    with pytest.raises(LeaseHeldError, match="lost to winner"):
        loser.renew()
    loser.release()
    assert winner.holder_now() == "winner"
    winner.release()
    with pytest.raises(LeaseHeldError, match="lost to nobody"):
        winner.renew()


def test_a_renewal_moves_the_version(lease_of):
    lease = lease_of("me")
    lease.acquire()
    before = lease._read()["metadata"]["resourceVersion"]
    lease.renew()
    assert lease._read()["metadata"]["resourceVersion"] != before


def test_a_missing_namespace_is_said(api):
    lost = Lease(api.cluster(), "no-such", "drill", "me")
    with pytest.raises(ApiError, match="namespace 'no-such' does not exist"):
        lost.acquire()
    assert wait.until(lambda: lost.holder_now() is None, deadline_s=1, what="nobody")
