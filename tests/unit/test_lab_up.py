"""What `up` finds of a lab that was there before."""

import asyncio
from pathlib import Path

import pytest

from stormlab import cordons, pki, topologyfile
from stormlab.api import kinds
from stormlab.api.bootstrap import bootstrap
from stormlab.api.objects import Objects
from stormlab.api.server import ApiServer, listen
from stormlab.api.store import Store
from stormlab.api.web.users import ADMIN
from stormlab.client import Client
from stormlab.up import _other_estate

TOPOLOGIES = Path(__file__).parents[2] / "topology"
TOPOLOGY = """\
name: tup
regions: {r: {zones: [a, b]}}
lab: {network: 10.77.0.0/16, api_ports: {r: 26999}}
"""


def estate(place: Path, old: str = "", new: str = ""):
    path = place / "t.yaml"
    path.write_text(TOPOLOGY.replace(old, new))
    return topologyfile.load(path)


def compact(place: Path, old: str = "", new: str = ""):
    """Preset `full` with one edit, beside the files that it names."""
    text = (TOPOLOGIES / "full.yaml").read_text()
    assert old in text
    for name in ("prometheus", "kubernetes", "continuity.yaml"):
        if not (place / name).exists():
            (place / name).symlink_to(TOPOLOGIES / name)
    path = place / "t.yaml"
    path.write_text(text.replace(old, new, 1))
    return topologyfile.load(path)


CELL1 = "  cell1: {primary: city1-b, standby: [city1-a], remote: [city2-a]}"
CELLS = "cells, databases or voters"


@pytest.mark.parametrize(
    ("made", "old", "new", "what"),
    [
        (estate, "[a, b]", "[a]", "regions, zones or ports"),
        (estate, "26999", "26998", "regions, zones or ports"),
        (estate, "10.77", "10.78", "networks"),
        (
            estate, "26999}", "26999}, kubelet: {max_container_restart_period: 5s}",
            "kubelet or controller settings",
        ),
        (estate, "26999}", "26999}, images: {i: {}}", "images"),
        (compact, CELL1, f"{CELL1}\n{CELL1.replace('cell1', 'cell2')}", CELLS),
        (compact, CELL1, "", CELLS),
        (compact, CELL1, CELL1.replace(", remote: [city2-a]", ""), CELLS),
        (compact, CELL1, "  cell1: {primary: city1-a, standby: [city1-b], remote: [city2-a]}", CELLS),
        (compact, "ledger: ledger,", "ledger: ledger-other,", CELLS),
        (compact, "witness: city1-w}", "witness: city1-w, etcd: [city1-a]}", CELLS),
    ],
)  # fmt: skip
def test_a_lab_does_not_come_up_on_another_topology(tmp_path, made, old, new, what):
    state = tmp_path / "state"
    topologyfile.keep(made(tmp_path), state)
    assert _other_estate(made(tmp_path), state) == []
    other = made(tmp_path, old, new)
    (said,) = _other_estate(other, state)
    assert said.startswith(f"lab '{other.name}' was made with other {what} than {other.source} says: take it")
    assert said.endswith(": take it down first (`down`), then `up` makes it anew")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("between_regions: {rtt: 30ms}", "between_regions: {rtt: 50ms}"),
        (
            "transfer: {tier: A1, kind: write, deadline: 2s}",
            "transfer: {tier: A1, kind: write, deadline: 1s}",
        ),
        ("\nlab:\n", "\nlab:\n  phones: https\n"),
    ],
)
def test_what_a_lab_can_be_changed_into_it_is(tmp_path, old, new):
    topologyfile.keep(compact(tmp_path), tmp_path / "state")
    assert _other_estate(compact(tmp_path, old, new), tmp_path / "state") == []


def test_what_up_had_hardly_begun_is_no_other_lab(tmp_path):
    state = tmp_path / "state"
    assert _other_estate(estate(tmp_path), state) == []
    topologyfile.keep(estate(tmp_path), state)
    (state / "topology.yaml").unlink()
    assert _other_estate(estate(tmp_path, "[a, b]", "[a]"), state) == []


async def lifted(objects, place):
    """Call it over the wire, twice."""
    server = ApiServer(objects, tokens={"t": ADMIN}, kubelet_dir=place)
    socket = listen("127.0.0.1", 0)
    await server.start(sockets=[socket], tls=None)
    try:
        url = f"http://127.0.0.1:{socket.getsockname()[1]}"
        async with Client(url, place / "pki" / "ca.crt", "t") as client:
            return await cordons.lift(client), await cordons.lift(client)
    finally:
        await server.stop()


def test_nodes_that_were_left_cordoned_take_pods_again(tmp_path):
    pki.ensure(tmp_path, ["r"])
    objects = Objects(Store())
    bootstrap(objects, service_network="10.96.0.0/16", address="10.77.0.1", port=1)
    taint = {"key": "theirs", "effect": "NoSchedule"}
    for name, spec in {
        "a": {},
        "b": {"unschedulable": True, "taints": [taint]},
        "c": {"podCIDR": "10.77.3.0/24"},
    }.items():
        objects.create(kinds.NODE, "", {"metadata": {"name": name}, "spec": spec})
    before = objects.get(kinds.NODE, "", "c").version
    assert asyncio.run(lifted(objects, tmp_path)) == (["b"], [])
    spec = objects.get(kinds.NODE, "", "b").tree["spec"]
    assert "unschedulable" not in spec
    assert [one["key"] for one in spec["taints"]] == ["theirs"]
    assert objects.get(kinds.NODE, "", "c").version == before
