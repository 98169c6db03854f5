"""Service addresses: which endpoints a node uses, and the rule text it loads."""

import asyncio
from ipaddress import IPv4Network

import pytest

from stormlab.net.translation import Backend, Frontend, base, rules
from stormlab.node.services import Endpoint, ServiceTable, choose

ZONE = IPv4Network("10.77.1.0/24")


def endpoint(address, zone, *, ready=True, serving=True, terminating=False, ports=None):
    return Endpoint(address, zone, "", ready, serving, terminating, ports or {"http": 8080})


def chosen(endpoints, **options):
    return [backend.address for backend in choose(endpoints, "http", "a", **options)]


def test_own_zone_first():
    assert chosen([endpoint("1", "a"), endpoint("2", "b"), endpoint("3", "a")]) == ["1", "3"]


def test_other_zones_when_the_own_has_none_ready():
    assert chosen([endpoint("1", "a", ready=False, serving=False), endpoint("2", "b")]) == ["2"]


def test_ending_but_serving_endpoints_only_when_nothing_is_ready():
    ending = endpoint("1", "a", ready=False, terminating=True)
    assert chosen([ending, endpoint("2", "b")]) == ["2"]
    assert chosen([ending]) == ["1"]
    assert chosen([endpoint("1", "a", ready=False, serving=False, terminating=True)]) == []


def test_local_policy_never_leaves_the_zone():
    assert chosen([endpoint("2", "b")], local_only=True) == []
    ending = endpoint("1", "a", ready=False, terminating=True)
    assert chosen([ending, endpoint("2", "b")], local_only=True) == ["1"]


def node_of(spec, endpoints):
    """What a node in zone a translates for one service, told as an API's watch would tell it."""
    parts = [{"addresses": [address], "zone": zone} for address, zone in endpoints.items()]
    labels = {"kubernetes.io/service-name": "edge"}
    service = {"metadata": {"namespace": "n", "name": "edge"}, "spec": spec}
    slice_ = {
        "metadata": {"namespace": "n", "name": "edge-1", "uid": "1", "labels": labels},
        "endpoints": parts,
        "ports": [{"name": "http", "port": 8080}],
    }
    table = ServiceTable(lambda: None)
    asyncio.run(table.service_heard("ADDED", service))
    asyncio.run(table.slice_heard("ADDED", slice_))
    return rules(table.frontends("a"), "10.77.1.1", ZONE)


NODE_PORT = "ip daddr 10.77.1.1 tcp dport 30080"
CLUSTER_IP = "ip daddr 10.96.0.9 tcp dport 80"


@pytest.mark.parametrize(
    ("policy", "endpoints", "wanted", "masqueraded"),
    [
        ("Cluster", {"10.77.2.2": "b"}, "dnat to 10.77.2.2:8080", True),
        ("Local", {"10.77.1.2": "a", "10.77.2.2": "b"}, "dnat to 10.77.1.2:8080", False),
        ("Local", {"10.77.2.2": "b"}, "drop", False),
        ("Local", {}, None, False),
    ],
)
def test_a_node_port_leads_out_of_its_zone_only_when_it_may(policy, endpoints, wanted, masqueraded):
    """Another site's edge behind a site's address would hide the loss of the site."""
    ports = [{"name": "http", "port": 80, "nodePort": 30080}]
    spec = {"clusterIP": "10.96.0.9", "externalTrafficPolicy": policy, "ports": ports}
    lines = [
        line.removeprefix("add rule ip stormlab services ") for line in node_of(spec, endpoints).splitlines()
    ]
    said = [line for line in lines if line.startswith(NODE_PORT)]
    assert said[-1:] == ([f'{NODE_PORT} {wanted} comment "n/edge"'] if wanted else [])
    assert any("meta mark set" in line for line in said) == masqueraded
    inside = [line for line in lines if line.startswith(CLUSTER_IP)]
    assert len(inside) == (2 if endpoints else 0), "the service's own address keeps its own list"


def test_only_endpoints_that_have_the_port():
    assert chosen([endpoint("1", "a", ports={"other": 1}), endpoint("2", "b")]) == ["2"]


def front(*backends, **changes):
    values = {"name": "n/s", "protocol": "tcp", "address": "10.96.0.9", "port": 80, "node_port": None}
    return Frontend(**{**values, **changes}, backends=tuple(Backend(*one) for one in backends))


def test_one_backend_and_several():
    text = rules([front(("10.77.1.2", 8080))], "10.77.1.1", ZONE)
    assert 'ip daddr 10.96.0.9 tcp dport 80 dnat to 10.77.1.2:8080 comment "n/s"' in text
    text = rules([front(("10.77.1.2", 8080), ("10.77.2.2", 8081))], "10.77.1.1", ZONE)
    assert "numgen random mod 2 map { 0 : 10.77.1.2 . 8080, 1 : 10.77.2.2 . 8081 }" in text
    assert "10.77.1.2 . 10.77.1.2, 10.77.2.2 . 10.77.2.2" in text


def test_what_did_not_start_in_the_zone_is_masqueraded_and_every_node_port():
    text = rules([front(("10.77.1.2", 8080), node_port=30080)], "10.77.1.1", ZONE)
    assert "ip daddr 10.96.0.9 tcp dport 80 ip saddr != 10.77.1.0/24 meta mark set" in text
    assert "ip daddr 10.77.1.1 tcp dport 30080 meta mark set" in text


def test_a_service_without_backends_has_no_rule_and_meets_the_reject():
    text = rules([front()], "10.77.1.1", ZONE)
    assert "10.96.0.9" not in text
    text = base(IPv4Network("10.96.0.0/16"), ZONE, "wan0")
    for chain in ("forward", "local"):
        for match in ("ip daddr 10.96.0.0/16", 'oifname "wan0" ip daddr 10.77.1.0/24'):
            tcp = text.index(f"{chain} {match} meta l4proto tcp reject with tcp reset")
            assert tcp < text.index(f"{chain} {match} reject with icmp")


def test_a_headless_service_has_only_its_node_port():
    text = rules([front(("10.77.1.2", 1), address=None, node_port=30001)], "10.77.1.1", ZONE)
    assert text.count(" dnat to ") == 1


def test_a_change_is_one_transaction_that_keeps_the_base_chains():
    text = rules([front(("10.77.1.2", 1))], "10.77.1.1", ZONE)
    assert text.startswith("flush chain ip stormlab services\n")
    assert "delete" not in text
    assert "prerouting" not in text
