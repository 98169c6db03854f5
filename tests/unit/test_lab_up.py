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

TOPOLOGY = """\
name: tup
regions: {r: {zones: [a, b]}}
lab: {network: 10.77.0.0/16, api_ports: {r: 26999}}
"""


def estate(place: Path, old: str = "", new: str = ""):
    path = place / "t.yaml"
    path.write_text(TOPOLOGY.replace(old, new))
    return topologyfile.load(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[a, b]", "[a]"),
        ("26999", "26998"),
        ("10.77", "10.78"),
        ("26999}", "26999}, kubelet: {max_container_restart_period: 5s}"),
    ],
)
def test_a_stopped_lab_does_not_come_up_on_another_topology(tmp_path, old, new):
    state = tmp_path / "state"
    topologyfile.keep(estate(tmp_path), state)
    assert _other_estate(estate(tmp_path), state) == []
    (said,) = _other_estate(estate(tmp_path, old, new), state)
    assert (
        "lab 'tup' was made with other regions, zones, ports, images or kubelets: take it down first" in said
    )


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
