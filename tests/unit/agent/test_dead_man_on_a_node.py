"""A fault that nobody takes away ends in the kernel; one that is renewed stays whole for every single packet."""

import socket
import threading
import time

import pytest

from .network import FAR, POD, connects, datagram
from .rig import eventually

pytestmark = pytest.mark.lab

LEASE_S = 1.0
GRACE_S = 1.0
PORT = 7002


class Flood:
    """Datagrams from the far place to the pod, thousands a second; whether one arrived since it was last asked."""

    def __init__(self, rig):
        self.sink, self.source = rig.pod.socket(socket.SOCK_DGRAM), rig.far.socket(socket.SOCK_DGRAM)
        self.sink.bind(("0.0.0.0", PORT))
        self.sent, self.over = 0, threading.Event()
        self.thread = threading.Thread(target=self.send)
        self.thread.start()

    def send(self):
        while not self.over.wait(0.0002):
            self.source.sendto(b"x", (POD, PORT))
            self.sent += 1

    def arrived(self):
        self.sink.setblocking(False)
        found = 0
        try:
            while self.sink.recv(10):
                found += 1
        except BlockingIOError:
            return found

    def close(self):
        self.over.set()
        self.thread.join()
        self.sink.close()
        self.source.close()


@pytest.fixture
def flood(rig):
    made = Flood(rig)
    yield made
    made.close()


class Holder:
    """Renews a fault, as often as a harness does, for as long as it is asked to; `last_s` is when it did so last."""

    def __init__(self, rig, **spec):
        self.rig, self.spec, self.renewal = rig, spec, 1

    def hold(self, for_s):
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            self.renewal += 1
            self.last_s = time.monotonic()
            self.rig.put(renewal=self.renewal, **self.spec)
            time.sleep(self.spec["lease_s"] / 4)


def test_killed_and_not_started_again_the_kernel_ends_it(rig, flood):
    holder = Holder(rig, lease_s=LEASE_S)
    rig.start().ready()
    rig.put(lease_s=LEASE_S)
    rig.until("applied")
    holder.hold(1.0)
    rig.kill()
    flood.arrived()  # from before the cut
    assert flood.arrived() == 0
    assert eventually(flood.arrived, within_s=10)
    assert LEASE_S < time.monotonic() - holder.last_s < LEASE_S + 2.0
    assert rig.tables(), "its table is there, and cuts nothing"
    assert connects_back(rig)
    rig.start()
    assert eventually(lambda: not rig.tables() and not rig.records())
    assert rig.until("reverted")["reason"] == "lease"


def connects_back(rig):
    with rig.far.listen():
        return connects(rig.pod, FAR) and datagram(rig.pod, rig.far, FAR)


def test_the_kernel_ends_a_site_loss_and_one_with_a_deadline(rig):
    rig.start().ready()
    rig.put("loss", kind="site-loss", lease_s=2)  # its rules are made before its pods are known
    assert eventually(rig.tables)
    rig.kill()
    assert not datagram(rig.far, rig.pod, POD)
    assert eventually(lambda: datagram(rig.far, rig.pod, POD), within_s=2 + 2.0)
    rig.say(gone="loss")
    rig.start().ready()
    holder = Holder(rig, deadlineSeconds=1.5, lease_s=1)
    rig.put(**holder.spec)
    rig.until("applied")
    began = time.monotonic()
    holder.hold(0.5)
    rig.kill()
    assert not datagram(rig.far, rig.pod, POD)
    assert eventually(lambda: datagram(rig.far, rig.pod, POD), within_s=10)
    assert time.monotonic() - began < 1.5 + 2.0


def test_renewed_it_lets_not_one_packet_pass(rig, flood):
    """Several times as long as the kernel's own patience."""
    holder = Holder(rig, lease_s=LEASE_S)
    rig.start().ready()
    rig.put(lease_s=LEASE_S)
    rig.until("applied")
    flood.arrived()
    before = flood.sent
    holder.hold(2 * (LEASE_S + GRACE_S))
    assert flood.arrived() == 0
    assert flood.sent - before > 1000
    rig.put(lease_s=LEASE_S, desired="reverted", renewal=holder.renewal)
    rig.until("reverted")
    assert eventually(flood.arrived)


def test_an_agent_that_takes_it_up_again_renews_it(rig, flood):
    holder = Holder(rig, lease_s=2)
    rig.start().ready()
    rig.put(lease_s=2)
    rig.until("applied")
    flood.arrived()
    rig.kill()
    rig.start().ready()
    holder.hold(3.5)
    assert flood.arrived() == 0
    assert rig.status()["state"] == "applied"


def test_a_renewal_that_the_kernel_was_not_told_is_none(rig):
    """It would run out there, while the agent says that it is applied."""
    deaf = rig.directory / "deaf"
    rig.nft(f'[ -e {deaf} ] && [ "$1" = -f ] && {{ echo deaf >&2; exit 1; }}; exec nft "$@"')
    rig.start().ready()
    rig.put(lease_s=LEASE_S)
    rig.until("applied")
    deaf.touch()
    Holder(rig, lease_s=LEASE_S).hold(2 * LEASE_S)
    assert "deaf" in rig.until("reverting", within_s=LEASE_S / 2)["why"]
    deaf.unlink()
    assert rig.until("reverted")["reason"] == "lease"
    assert rig.tables() == []
