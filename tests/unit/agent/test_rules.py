"""The rules as text, as nft itself reads them; no root needed to be refused."""

import pytest

from stormdrill.agent import armed, rules
from stormdrill.errors import InputError
from stormdrill.faultspec import Direction, FaultKind, NodeTarget


def script(*targets, kind=FaultKind.PARTITION, left_s=5.0, api=()):
    return rules.script("u-1", kind, targets, left_s, api)


def test_each_way_is_two_rules_of_each_family():
    both = NodeTarget("n", "a", ("10.1.0.0/16", "fd00:1::/64"))
    assert rules.count(script(both)) == 8
    assert rules.count(script(NodeTarget("n", "a", ("10.1.0.0/16",), directions=(Direction.IN,)))) == 2
    assert rules.count(script(kind=FaultKind.SITE_LOSS)) == 1


def test_only_networks_of_one_family_are_set_against_each_other():
    text = script(NodeTarget("n", "a", ("10.1.0.0/16", "fd00:1::/64"), ("10.2.0.0/16",)))
    assert "inside0_4" in text
    assert "ip6" not in text


def test_a_table_replaces_its_namesake_in_the_same_transaction():
    first, second, third = script(NodeTarget("n", "a", ("10.1.0.0/16",))).splitlines()[:3]
    assert (first, second) == ("table inet stormdrill-u-1", "delete table inet stormdrill-u-1")
    assert third == "table inet stormdrill-u-1 {"


@pytest.mark.parametrize("api", [(), (("10.0.0.1", 6443),)])
def test_the_api_is_spared_only_where_asked(api):
    target = NodeTarget("n", "a", ("10.1.0.0/16",))
    assert "10.0.0.1" not in script(target, api=api)
    spared = NodeTarget("n", "a", ("10.1.0.0/16",), spare_control_plane=True)
    assert ("10.0.0.1" in script(spared, api=api)) == bool(api)


@pytest.mark.parametrize("text", ["10.0.0.0/33", "x; flush ruleset", "10.0.0.1 }"])
def test_what_is_no_network_never_reaches_nft(text):
    with pytest.raises(InputError, match="not a network"):
        script(NodeTarget("n", "a", (text,)))
    with pytest.raises(InputError, match="not a network"):
        script(NodeTarget("n", "a", ("10.1.0.0/16",), (text,)))


def test_a_partition_of_nothing_is_refused():
    with pytest.raises(InputError, match="inside"):
        script(NodeTarget("n", "a", ()))


@pytest.mark.parametrize("kind", FaultKind)
def test_every_rule_that_drops_ends_by_itself(kind):
    text = script(NodeTarget("n", "a", ("10.1.0.0/16", "fd00:1::/64")), kind=kind)
    dropping = [line for line in text.splitlines() if "drop;" in line]
    assert dropping
    assert all(armed.MATCH in line for line in dropping)
    assert "elements = { ipv4 timeout 6000ms, ipv6 timeout 6000ms }" in text


def test_no_time_is_left_is_not_without_end():
    """The kernel takes 0 for one."""
    assert "timeout 100ms" in script(kind=FaultKind.SITE_LOSS, left_s=-9.0)
    assert "timeout 100ms" in armed.renewal("t", -9.0)
