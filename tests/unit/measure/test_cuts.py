"""What a cut must do to each flow."""

from __future__ import annotations

from typing import Any

import pytest

from stormdrill.measure.cuts import cuts_of, expected

ZONES = {"a": "one", "b": "one", "c": "two"}


def flow(kind: str, target: dict[str, Any], *name: str) -> str:
    return str(expected(cuts_of(kind, [target], ZONES), *name))


@pytest.mark.parametrize(
    ("kind", "target", "name", "says"),
    [
        ("partition", {"zone": "a"}, ("b", "a", "tcp-new"), "breaks"),
        ("partition", {"zone": "a"}, ("b", "c", "tcp-new"), "stays"),
        ("partition", {"zone": "a"}, ("a", "b", "tcp-held"), "may break"),
        ("partition", {"zone": "a"}, ("a", "", "control-plane"), "may break"),
        ("partition", {"zone": "a"}, ("b", "", "control-plane"), "stays"),
        ("partition", {"zone": "a"}, ("b", "", "database"), "may break"),
        ("partition", {"zone": "a", "directions": ["out"]}, ("b", "a", "udp"), "breaks"),
        ("partition", {"zone": "a", "directions": ["in"]}, ("b", "a", "udp"), "stays"),
        ("partition", {"zone": "a", "directions": ["in"]}, ("b", "a", "tcp-new"), "breaks"),
        ("partition", {"zone": "a", "from": "b"}, ("a", "b", "udp"), "breaks"),
        ("partition", {"zone": "a", "from": "b"}, ("a", "c", "udp"), "stays"),
        ("partition", {"zone": "a", "from": "b", "directions": ["out"]}, ("a", "b", "udp"), "stays"),
        ("partition", {"zone": "a", "from": "b", "directions": ["out"]}, ("b", "a", "udp"), "breaks"),
        ("partition", {"zone": "c", "from": "one"}, ("b", "c", "tcp-held"), "breaks"),
        ("zone_loss", {"zone": "a"}, ("c", "a", "udp"), "breaks"),
        ("region_loss", {"zone": "a"}, ("a", "c", "udp"), "may break"),
    ],
)
def test_expected(kind: str, target: dict[str, Any], name: tuple[str, ...], says: str) -> None:
    assert flow(kind, target, *name) == says


def test_faults_that_are_none_of_the_network_cut_nothing() -> None:
    assert cuts_of("kill_pods", [{"zone": "a"}], ZONES) == ()
