"""Estates that users get by editing lines: brought up, every cell stands where the file says, and does business.

Long, and on a lab of its own: `make test ARGS='-m long tests/lab/estates'`.
"""

import base64
import contextlib
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

pytestmark = [pytest.mark.lab, pytest.mark.long]

TOPOLOGY = Path(__file__).parents[3] / "topology"
UP_S, DOWN_S = 420, 20
SETTLED_S, AGAIN_S = 60, 150
HELD_S = 10


@dataclass(frozen=True)
class Stated:
    """An estate as its author states it: the lines that differ from preset `full`."""

    name: str
    ports: int
    network: str
    regions: dict[str, Any]
    cells: dict[str, Any]


WIDE = Stated(
    "wide",
    16000,
    "10.81.0.0/16",
    {
        "city1": {"zones": ["city1-a", "city1-b", "city1-c"]},
        "city2": {"zones": ["city2-a"]},
        "city3": {"zones": ["city3-a"]},
    },
    {
        "cell0": {"database": "pg", "ledger": "ledger", "primary": "city1-a", "standby": ["city1-b"],
                  "remote": ["city2-a"]},
        "cell1": {"primary": "city1-b", "standby": ["city1-c"], "remote": ["city3-a"]},
        "cell2": {"primary": "city1-c", "standby": ["city1-a"], "remote": ["city2-a", "city3-a"]},
    },
)  # fmt: skip
UNWITNESSED = Stated(
    "unwitnessed",
    18500,
    "10.82.0.0/16",
    {
        "city1": {"zones": ["city1-a", "city1-b"], "witness": "none"},
        "city2": {"zones": ["city2-a", "city2-b"], "witness": "none"},
    },
    {
        "cell0": {"database": "pg", "ledger": "ledger", "primary": "city1-a", "standby": ["city1-b"],
                  "remote": ["city2-a", "city2-b"]},
        "cell1": {"primary": "city1-b", "standby": ["city1-a"], "remote": ["city2-a"]},
    },
)  # fmt: skip


@pytest.mark.parametrize("stated", [WIDE, UNWITNESSED], ids=lambda stated: stated.name)
def test_every_cell_stands_where_the_file_says_and_does_business_in_every_zone(lab_of, tmp_path, stated):
    with lab_of(written(stated, tmp_path), up_s=UP_S, down_s=DOWN_S) as lab:
        settled(lambda: as_stated(lab, stated))
        for cell, of_cell in stated.cells.items():
            told = json.loads(
                fetched(lab, f"patroni{suffix(of_cell, cell)}-{of_cell['primary']}", "/patroni")
            )
            assert told["role"] in {"primary", "master"}, told
            assert told["patroni"]["scope"] == cell
        notes = lab.status()["notes"]
        if stated is UNWITNESSED:
            assert any(note.startswith("city1 has its etcd in city1-a alone") for note in notes), notes
            assert not any("cell0 is unprotected" in note for note in notes), notes
        password = auditor(lab)
        for zone in stated.regions["city1"]["zones"]:
            business(lab, stated, zone, password)
        if stated is UNWITNESSED:
            nobody_leads_without_etcd(lab, stated)
            settled(lambda: as_stated_again(lab, stated), AGAIN_S)
            for zone in stated.regions["city1"]["zones"]:
                business(lab, stated, zone, password)


def nobody_leads_without_etcd(lab: Any, stated: Stated) -> None:
    """Take the only etcd of city1 away, assert that no cell's database takes writes there, and give it back."""
    lab.kubectl("city1", "scale", "-n", "bank", "statefulset", "etcd-city1-a", "--replicas=0")
    try:
        settled(lambda: none_leads(lab, stated), AGAIN_S)
        held_s = time.monotonic() + HELD_S
        while time.monotonic() < held_s:
            none_leads(lab, stated)
            time.sleep(1)
    finally:
        lab.kubectl("city1", "scale", "-n", "bank", "statefulset", "etcd-city1-a", "--replicas=1")


def none_leads(lab: Any, stated: Stated) -> None:
    """Assert that no member in city1 says that it is a primary: it answers 503 and what it is."""
    for cell, of_cell in stated.cells.items():
        for zone in (of_cell["primary"], *of_cell["standby"]):
            name = f"patroni{suffix(of_cell, cell)}-{zone}"
            said = "leads"
            try:
                fetched(lab, name, "/primary")
            except urllib.error.HTTPError as error:
                said = str(error.code)
            except OSError as error:
                said = str(error)
            assert said == "503", name


def as_stated_again(lab: Any, stated: Stated) -> None:
    """Assert that every cell has a primary and a synchronous standby at home, whichever of its members leads."""
    members = lab.status()["databases"]
    for cell in stated.cells:
        roles = sorted(one["role"] for one in members if one["scope"] == cell)
        assert roles == ["leader", "sync_standby"], members


def written(stated: Stated, directory: Path) -> Path:
    """The file of the estate, with what it names beside it."""
    body = yaml.safe_load((TOPOLOGY / "full.yaml").read_text())
    body |= {"name": stated.name, "regions": stated.regions, "cells": stated.cells}
    body["lab"] |= {"network": stated.network, "ports": stated.ports}
    path = directory / f"{stated.name}.yaml"
    path.write_text(yaml.safe_dump(body, sort_keys=False))
    for name in ("continuity.yaml", "kubernetes", "prometheus"):
        (directory / name).symlink_to(TOPOLOGY / name)
    return path


def as_stated(lab: Any, stated: Stated) -> None:
    """Assert what the lab's status says of itself and of every member of every cell."""
    status = lab.status()
    assert status["troubles"] == []
    assert [pod for pod in status["pods"] if not pod["ready"]] == []
    found = {(one["scope"], one["name"]): (one["role"], one["state"]) for one in status["databases"]}
    wanted: dict[tuple[str, str], tuple[str, str]] = {}
    for cell, of_cell in stated.cells.items():
        wanted[cell, member(of_cell, cell, of_cell["primary"])] = ("leader", "running")
        for zone in of_cell["standby"]:
            wanted[cell, member(of_cell, cell, zone)] = ("sync_standby", "streaming")
        led: set[str] = set()
        for zone in of_cell["remote"]:
            region = zone.partition("-")[0]
            role = "replica" if region in led else "standby_leader"
            led.add(region)
            wanted[f"{cell}-{region}", member(of_cell, cell, zone)] = (role, "streaming")
    assert found == wanted


def business(lab: Any, stated: Stated, zone: str, password: str) -> None:
    """A login and a transfer of a customer of each cell, through the edge of a zone: booked by that cell alone."""
    cells = list(stated.cells)
    for number, cell in enumerate(cells):
        customer = len(cells) + number
        login = {"customer": customer, "device": f"device-{customer}", "password": f"pw-{customer}"}
        token = answered(lab, f"edge-{zone}", "/v1/login", login)["token"]
        key = str(uuid.uuid4())
        meant = {"to": customer + len(cells), "amount": 1}
        told = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
        assert answered(lab, f"edge-{zone}", "/v1/transfers", meant, told)["key"] == key
        booked = [name for name, of_cell in stated.cells.items() if holds(lab, name, of_cell, key, password)]
        assert booked == [cell], (zone, customer)


def answered(
    lab: Any, edge: str, path: str, body: dict[str, Any], told: dict[str, str] | None = None
) -> dict[str, Any]:
    """The answer of the bank; a request that it could not take yet is made again, with the same key."""
    answer: dict[str, Any] = {}

    def asked() -> None:
        nonlocal answer
        try:
            answer = json.loads(fetched(lab, edge, path, json.dumps(body).encode(), told))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{edge}{path}: {error.code} {error.read()!r}") from error
        except OSError as error:
            raise AssertionError(f"{edge}{path}: {error}") from error

    settled(asked)
    return answer


def fetched(
    lab: Any, endpoint: str, path: str, data: bytes | None = None, told: dict[str, str] | None = None
) -> bytes:
    headers = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(f"http://{lab.endpoints[endpoint]}{path}", data, headers | (told or {}))
    with urllib.request.urlopen(request, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def holds(lab: Any, cell: str, of_cell: dict[str, Any], key: str, password: str) -> bool:
    """Whether the books at a cell's home have a movement, read by itself."""
    names = [f"postgres{suffix(of_cell, cell)}-{zone}" for zone in (of_cell["primary"], *of_cell["standby"])]
    ports = ",".join(lab.endpoints[name].rpartition(":")[2] for name in names)
    hosts = ",".join("127.0.0.1" for _ in names)
    dsn = f"host={hosts} port={ports} dbname=bank user=auditor target_session_attrs=read-write"
    with psycopg.connect(dsn, password=password, connect_timeout=10) as connection:
        return bool(connection.execute("SELECT 1 FROM movement WHERE key = %s", (key,)).fetchall())


def auditor(lab: Any) -> str:
    secret = lab.kubectl("city1", "get", "secret", "postgres", "-n", "bank", "-o", "json").stdout
    return base64.b64decode(json.loads(secret)["data"]["auditor-password"]).decode()


def suffix(of_cell: dict[str, Any], cell: str) -> str:
    return str(of_cell.get("database", f"pg-{cell}")).removeprefix("pg")


def member(of_cell: dict[str, Any], cell: str, zone: str) -> str:
    return f"pg{suffix(of_cell, cell)}-{zone}-0"


def settled(holds: Callable[[], None], within_s: float = SETTLED_S) -> None:
    """Return when `holds` does; its own error when it does not in time."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        with contextlib.suppress(AssertionError):
            return holds()
        time.sleep(0.5)
    return holds()
