"""Preset `full`: two cells, each with its primary in another zone, both zones taking writes."""

import json
import time
import urllib.request
import uuid
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

FULL = Path(__file__).parents[2] / "topology" / "full.yaml"
READY_S = 3 * 40
"""Three times what it may take on two quiet cores (`make bench ONLY=lab.ready_s`): machines are shared."""
HOMES = {"cell0": "city1-a", "cell1": "city1-b"}


@pytest.fixture(scope="module")
def full_lab(lab_of):
    """The preset, ready; brought up for this file alone."""
    with lab_of(FULL, down_s=6) as lab:
        yield lab


def asked(lab, edge, path, body=None, **headers):
    """The answer's JSON."""
    data = None if body is None else json.dumps(body).encode()
    if data:
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(f"http://{lab.endpoints[edge]}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read())


def test_it_is_ready_in_time(full_lab):
    assert full_lab.ready_s < READY_S


def test_each_cell_has_a_primary_at_home_a_synchronous_standby_and_a_remote_copy(full_lab):
    status = full_lab.status()
    assert status["troubles"] == []
    assert all(pod["ready"] for pod in status["pods"]), status["pods"]
    roles = {
        (member["scope"], member["role"]): (member["name"], member["state"]) for member in status["databases"]
    }
    assert set(roles) == {
        (scope, role)
        for cell in HOMES
        for scope, role in ((cell, "leader"), (cell, "sync_standby"), (f"{cell}-city2", "standby_leader"))
    }
    for cell, zone in HOMES.items():
        assert zone in roles[cell, "leader"][0]
        assert roles[cell, "sync_standby"][1] == "streaming"
        assert roles[f"{cell}-city2", "standby_leader"][1] == "streaming"
    assert [note for note in status["notes"] if "unprotected" in note] == status["notes"]


def test_customers_of_both_cells_do_business_through_either_edge(full_lab):
    for number, edge in enumerate(["edge-city1-a", "edge-city1-b"] * 2):
        customer = 1 + number // 2
        login = {"customer": customer, "device": f"device-{customer}", "password": f"pw-{customer}"}
        token = asked(full_lab, edge, "/v1/login", login)["token"]
        answer = asked(
            full_lab, edge, "/v1/transfers", {"to": customer + 2, "amount": 1},
            **{"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())},
        )  # fmt: skip
        assert answer


def test_gateways_know_every_cell_s_epoch_and_so_does_the_status(full_lab):
    for edge in ("edge-city1-a", "edge-city1-b"):
        known = asked(full_lab, edge, "/cells")["cells"]
        assert {cell: state["home"] for cell, state in known.items()} == HOMES
    deadline = time.monotonic() + 10
    while True:
        rows = {row["name"]: row["samples"] for row in full_lab.status()["rows"]}
        found = {
            sample["labels"]["cell"]: sample["value"]
            for sample in rows["epoch by cell"] or ()
            if sample["labels"]["of"] == "promotion"
        }
        if set(found) == set(HOMES) or time.monotonic() > deadline:
            break
    assert found == {"cell0": 1, "cell1": 1}
    behind = {sample["labels"]["pod"] for sample in rows["behind the primary, bytes"]}
    assert behind == {"pg-city1-b-0", "pg-city2-a-0", "pg-cell1-city1-a-0", "pg-cell1-city2-a-0"}


def test_status_is_one_screen_with_every_follower_and_archive(full_lab):
    deadline = time.monotonic() + 30
    wanted = {"pg-city1-b-0", "pg-city2-a-0", "pg-cell1-city1-a-0", "pg-cell1-city2-a-0"}
    wanted |= {"archive-cell0-city1-b-0", "archive-cell0-city2-a-0"}
    wanted |= {"archive-cell1-city1-a-0", "archive-cell1-city2-a-0"}
    while True:
        out = full_lab.lab("status").stdout
        asked_of = out[out.index("# asked of Prometheus") :]
        missing = [name for name in wanted if f"{name} " not in asked_of]
        if not missing or time.monotonic() > deadline:
            break
    assert missing == [], out
    lines = out.splitlines()
    assert len(lines) <= 50, out
    assert max(map(len, lines)) <= 100, out
    shares = next(row for row in full_lab.status()["rows"] if row["name"] == "share of traffic by zone, %")
    zones = {sample["labels"]["zone"]: sample["value"] for sample in shares["samples"]}
    # The customers of the tests before; nothing when it took that long.
    assert not zones or (set(zones) == {"city1-a", "city1-b", "city2-a"} and 99 < sum(zones.values()) < 101)


def test_kubectl_sees_the_databases_of_a_cell(full_lab):
    pods = full_lab.kubectl(
        "city1", "get", "pods", "-n", "bank", "-l", "app=pg,cell=cell1", "-o", "name"
    ).stdout.split()
    assert pods == ["pod/pg-cell1-city1-a-0", "pod/pg-cell1-city1-b-0"]
