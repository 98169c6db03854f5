"""The status of a lab of which only one region's API is left: real objects, and what does not answer said as such."""

import asyncio
import json
import re
import socket
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
import yaml

from stormlab import pki, status
from stormlab.api.main import Settings, serve
from stormlab.client import MERGE_PATCH, Client
from stormlab.status.show import show
from stormlab.topologyfile import load

CRD = Path(__file__).parents[3] / "topology" / "kubernetes" / "base" / "stormdrill" / "fault-crd.yaml"
FAULTS = "/apis/stormdrill.io/v1alpha1/namespaces/bank/faults"
TOPOLOGY = """\
name: t
regions: {{one: {{zones: [a, b]}}, two: {{zones: [c]}}}}
lab:
  network: 10.77.0.0/16
  api_ports: {{one: {one}, two: {two}}}
  prometheus: {{config: p.j2}}
  status:
    - {{name: load, query: "up"}}
  ready:
    - {{patroni: "app=pg", region: two, expect: [leader]}}
"""


def free_port():
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


def fault(name, *zones, desired="applied"):
    spec = {"kind": "partition", "holder": "h", "desired": desired, "leaseSeconds": 5, "renewal": 0}
    spec["targets"] = [{"node": f"node-{zone}", "zone": zone} for zone in zones]
    return {
        "apiVersion": "stormdrill.io/v1alpha1",
        "kind": "Fault",
        "metadata": {"name": name},
        "spec": spec,
    }


def config(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod(name, zone):
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": zone}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def fill(client):
    await client.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}})
    for name in ("bank", "other"):
        meta = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await client.create("/api/v1/namespaces", meta)
    await client.create("/api/v1/namespaces/bank/pods", pod("p-1", "a"))
    await client.create("/api/v1/namespaces/other/configmaps", config("stormdrill-fence", state="open"))
    await client.create("/api/v1/namespaces/other/configmaps", config("another", state="closed"))
    said = {"site": "one", "by": "alice", "how": "proven", "at": "2026-01-02T03:04:05+00:00"}
    closed = config("stormdrill-fence", state="closed", **{"fence.json": json.dumps(said)})
    await client.create("/api/v1/namespaces/bank/configmaps", closed)
    of_a_cell = config("stormdrill-fence-cell1", state="closed", **{"fence.json": json.dumps(said)})
    await client.create("/api/v1/namespaces/bank/configmaps", of_a_cell)


async def hurt(client):
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await client.create(path, yaml.safe_load(CRD.read_text()))
    states = {
        "f-half": {"a": ("applied", "2026-01-02T03:04:07Z"), "b": ("applying", None)},
        "f-on": {"a": ("applied", "2026-01-02T03:04:09Z"), "b": ("applied", "2026-01-02T03:04:08Z")},
        "f-over": {"a": ("reverted", "2026-01-02T03:04:01Z")},
        "f-taken-back": {},
        "f-wanted": {},
    }
    for name, nodes in states.items():
        desired = "reverted" if name == "f-taken-back" else "applied"
        await client.create(FAULTS, fault(name, "a", "b", desired=desired))
        told = {
            node: {"state": state, **({"appliedAt": since} if since else {})}
            for node, (state, since) in nodes.items()
        }
        await client.patch(f"{FAULTS}/{name}/status", {"status": {"nodes": told}}, MERGE_PATCH)


@pytest.fixture
def lab(tmp_path):
    """Estate and state directory, the API of region `one`, and a function that does something to it."""
    (tmp_path / "p.j2").write_text("")
    (tmp_path / "t.yaml").write_text(TOPOLOGY.format(one=free_port(), two=free_port()))
    estate, state = load(tmp_path / "t.yaml"), tmp_path / "state"
    pki.ensure(state, ["one", "two"])
    port = estate.region("one").api_port
    stop, ready = asyncio.Event(), Future()

    async def run():
        listening = asyncio.Event()
        server = asyncio.create_task(serve(Settings(state, "one", port, "10.96.0.0/16"), stop, listening))
        await asyncio.wait(
            {asyncio.create_task(listening.wait()), server}, return_when=asyncio.FIRST_COMPLETED
        )
        ready.set_result(asyncio.get_running_loop())
        await server

    def do(work):
        async def done():
            async with Client(f"https://127.0.0.1:{port}", state / "pki" / "ca.crt", token) as client:
                await work(client)

        asyncio.run(done())

    token = pki.token(state, "admin")
    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    loop = ready.result(10)
    yield estate, state, do
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    assert not thread.is_alive()


def test_a_lab_of_which_little_is_left(lab):
    estate, state, do = lab
    do(fill)
    report = status.gather(estate, state)
    place = {"zone": "a", "region": "one", "address": "10.77.1.1"}
    assert report["zones"][0] == {**place, "node": "NotReady", "pods": 1, "pods_ready": 0}
    assert [zone["node"] for zone in report["zones"]] == ["NotReady", "absent", "unknown"]
    assert report["zones"][2]["pods"] is None
    assert [(pod["name"], pod["zone"], pod["ready"]) for pod in report["pods"]] == [("p-1", "a", False)]
    assert (report["links"], report["databases"], report["faults"]) == ([], [], []), (
        "a kind that is not known"
    )
    fence = {
        "region": "one",
        "namespace": "bank",
        "name": "stormdrill-fence",
        "site": "one",
        "state": "closed",
    }
    fence |= {"how": "proven", "by": "alice", "since": "2026-01-02T03:04:05+00:00"}
    assert report["fences"] == [
        fence, {**fence, "name": "stormdrill-fence-cell1", "site": "one (cell1)"},
    ]  # fmt: skip
    assert report["rows"] == [{"name": "load", "query": "up", "samples": None}]
    dead = [row["name"] for row in report["processes"]]
    assert report["troubles"][: len(dead)] == [f"{name} does not run" for name in dead]
    rest = [trouble.split(":")[0] for trouble in report["troubles"][len(dead) :]]
    assert rest == ["links", "two", "two", "Prometheus"], report["troubles"]


def test_faults_that_still_hold(lab):
    estate, state, do = lab
    do(fill)
    do(hurt)
    report = status.gather(estate, state)
    assert [(f["name"], f["state"], f["where"]) for f in report["faults"]] == [
        ("f-half", "applied 1, applying 1", ["a", "b"]),
        ("f-on", "applied", ["a", "b"]),
        ("f-wanted", "asked for", ["a", "b"]),
    ]
    assert [f["since"] for f in report["faults"]][:2] == ["2026-01-02T03:04:07Z", "2026-01-02T03:04:08Z"]
    assert report["faults"][2]["since"].startswith("20")


def test_the_same_as_text(lab, capsys):
    estate, state, do = lab
    do(fill)
    do(hurt)
    shown = show(lambda: status.gather(estate, state), as_json=False, everything=False)
    out = capsys.readouterr().out
    assert "f-half    partition  a, b   applied 1, applying 1" in out
    assert re.search(r"^one \(cell1\) +closed +proven +alice  ", out, re.MULTILINE)
    assert "a     bank/p-1" in out
    for trouble in shown["troubles"]:
        assert f"! {trouble}\n" in out
