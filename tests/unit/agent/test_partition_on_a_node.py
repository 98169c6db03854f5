"""The agent cuts real flows of a real network, and nothing else, and gives them back."""

import json

import pytest

from .network import FAR, NODE, NODE_POD, POD, Flow, connects, datagram
from .rig import eventually

pytestmark = pytest.mark.lab


@pytest.fixture
def listeners(rig):
    made = {place: place.listen() for place in (rig.node, rig.pod, rig.far)}
    yield made
    for listener in made.values():
        listener.close()


def test_cuts_established_new_and_udp_flows_and_gives_them_back(rig, listeners):
    rig.start().ready()
    out, back = Flow(rig.pod, listeners[rig.far], FAR), Flow(rig.far, listeners[rig.pod], POD)
    node, inner = Flow(rig.node, listeners[rig.far], FAR), Flow(rig.pod, listeners[rig.node], NODE_POD)
    rig.put()
    status = rig.until("applied")
    assert not out.works()
    assert not back.works()
    assert not node.works()
    assert inner.works()
    assert not connects(rig.pod, FAR)
    assert not connects(rig.far, POD)
    assert not connects(rig.far, NODE)
    assert not connects(rig.node, FAR)
    assert connects(rig.pod, NODE)
    assert connects(rig.node, POD)
    assert not datagram(rig.pod, rig.far, FAR)
    assert not datagram(rig.far, rig.pod, POD)
    assert status["tookMs"] < 500
    assert status["evidence"]["rules"] == 4
    rig.put(desired="reverted", renewal=2)
    status = rig.until("reverted")
    assert status["reason"] == "wanted"
    assert status["evidence"]["dropped_in"] > 0
    assert status["evidence"]["dropped_out"] > 0
    assert "why" not in status
    assert connects(rig.pod, FAR)
    assert datagram(rig.far, rig.pod, POD)
    assert (rig.tables(), rig.records()) == ([], [])
    assert out.works(10)
    assert back.works(10)
    for flow in (out, back, node, inner):
        flow.close()


def test_only_from_the_networks_named(rig, listeners):
    rig.start().ready()
    rig.put(target={"outside": ["10.99.0.0/16"]})
    rig.until("applied")
    assert connects(rig.pod, FAR)
    rig.put("other", target={"outside": ["10.99.0.0/16", f"{FAR}/32"]})
    rig.until("applied", "other")
    assert not connects(rig.pod, FAR)
    assert len(rig.tables()) == 2
    rig.say(gone="other")
    assert eventually(lambda: rig.tables() == ["stormdrill-uid-of-cut"])
    assert connects(rig.pod, FAR)


@pytest.mark.parametrize("way", ["in", "out"])
def test_one_way(rig, way):
    rig.start().ready()
    rig.put(target={"directions": [way]})
    rig.until("applied")
    assert datagram(rig.pod, rig.far, FAR) == (way == "in")
    assert datagram(rig.far, rig.pod, POD) == (way == "out")
    assert datagram(rig.node, rig.far, FAR) == (way == "in")
    assert datagram(rig.far, rig.node, NODE) == (way == "out")


def test_the_control_plane_is_spared_when_asked(rig):
    rig.start().ready()
    rig.put()
    rig.until("applied")
    assert not connects(rig.node, FAR, rig.api_port)
    rig.put("kind", target={"spareControlPlane": True})
    rig.until("applied", "kind")
    rig.put(desired="reverted")
    rig.until("reverted")
    assert connects(rig.node, FAR, rig.api_port)
    assert connects(rig.pod, FAR, rig.api_port)
    assert not connects(rig.node, FAR)


def test_what_passes_through_under_the_nodes_address_is_cut(rig, places):
    """A node port that leads out again: neither end is inside."""
    rules = (
        f"table ip port {{\nchain in {{\ntype nat hook prerouting priority dstnat\n"
        f"ip daddr {NODE} tcp dport 7100 dnat to 10.91.8.2:7000\n}}\n"
        "chain out {\ntype nat hook postrouting priority srcnat\nct status dnat masquerade\n}\n}"
    )
    rig.node.run("nft", rules)
    rig.far.run("ip", "address", "add", "10.91.8.2/32", "dev", "lo")
    rig.node.run("ip", "route", "add", "10.91.8.2/32", "via", FAR)
    listener = rig.far.listen()
    try:
        rig.start().ready()
        flow = Flow(rig.far, listener, NODE, 7100)
        rig.put()
        rig.until("applied")
        assert not flow.works()
        assert not connects(rig.far, NODE, 7100)
        flow.close()
    finally:
        listener.close()
        rig.node.run("nft", "delete", "table", "ip", "port")


def test_what_it_cannot_do_is_said(rig):
    rig.path = str(rig.directory)
    rig.start().ready()
    rig.put()
    assert rig.until("failed")["why"] == "nft is not installed on this node"
    rig.put("empty", target={"inside": []})
    assert "inside" in rig.until("failed", "empty")["why"]
    rig.put("odd", target={"inside": ["10.0.0.0/33"]})
    assert "10.0.0.0/33" in rig.until("failed", "odd")["why"]
    assert rig.records() == []


def test_what_nft_refuses_is_said_and_has_left_nothing(rig):
    rig.nft("echo 'netlink: Operation not permitted' >&2; exit 1")
    rig.start().ready()
    rig.put()
    assert rig.until("failed")["why"] == "nft refused: netlink: Operation not permitted"
    assert rig.records() == []


def test_faults_of_other_nodes_are_none_of_its_business(rig):
    rig.start().ready()
    rig.put("theirs", target={"node": "node-2"})
    rig.put("ours")
    rig.until("applied", "ours")
    assert rig.status("theirs") == {}
    assert rig.tables() == ["stormdrill-uid-of-ours"]
    assert 'faults{state="applied"} 1' in rig.page("/metrics")
    assert rig.page("/healthz").endswith("ok\n")
    assert json.dumps(rig.status("ours"))
