"""Archives as shipped: where they stand, whose log they keep, and that the program accepts what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stormarchive import checks, settings

ROOT = Path(__file__).resolve().parents[2]
ZONE = "topology.kubernetes.io/zone"
PLACES = {"city1": ("city1-a", "city1-b"), "city2": ("city2-a",)}
CELLS = {"small": {"cell0": ""}, "full": {"cell0": "", "cell1": "-cell1"}}
"""Of each preset, and what tells the names of each cell's database from another's."""


def archives(objects, region):
    """The region's StatefulSets of archives, by name."""
    found = [
        each
        for each in objects[region]
        if each["kind"] == "StatefulSet" and each["metadata"]["labels"]["app"] == "archive"
    ]
    return {each["metadata"]["name"]: each for each in found}


@pytest.fixture(params=CELLS)
def preset(request):
    """Its name, and its objects by region."""
    return request.param, request.getfixturevalue(f"{request.param}_objects")


def test_a_cell_has_an_archive_in_each_zone_of_its_city_and_in_the_remote_one(preset):
    name, objects = preset
    for region, zones in PLACES.items():
        wanted = {f"archive-{cell}-{zone}": (cell, zone) for cell in CELLS[name] for zone in zones}
        found = archives(objects, region)
        assert found.keys() == wanted.keys()
        for archive, (cell, zone) in wanted.items():
            follows_its_cell(found[archive], cell, zone, CELLS[name][cell])


def test_wherever_the_primary_is_an_archive_is_in_another_zone_of_its_city(preset):
    name, objects = preset
    members = {
        (each["spec"]["template"]["metadata"]["labels"]["cell"], each["metadata"]["labels"][ZONE])
        for each in objects["city1"]
        if each["kind"] == "StatefulSet" and each["metadata"]["labels"]["app"] == "pg"
    }
    assert {cell for cell, _ in members} == CELLS[name].keys()
    kept = {
        (each["spec"]["template"]["metadata"]["labels"]["cell"], each["metadata"]["labels"][ZONE])
        for each in archives(objects, "city1").values()
    }
    for cell, zone in members:
        assert [other for of, other in kept if of == cell and other != zone], f"{cell}'s primary in {zone}"


def follows_its_cell(archive, cell, zone, suffix):
    name = f"archive-{cell}-{zone}"
    assert archive["metadata"]["name"] == archive["spec"]["serviceName"] == name
    pod = archive["spec"]["template"]
    assert pod["spec"]["nodeSelector"] == {ZONE: zone}
    assert pod["metadata"]["labels"] == {"app": "archive", "cell": cell, ZONE: zone}
    (container,) = pod["spec"]["containers"]
    told = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    read = settings.read(told)
    # Every member that may ever be primary, and no name that would have to be looked for.
    assert {member.split(".")[0] for member in read.members} == {
        f"pg{suffix}-{member}-0" for zones in PLACES.values() for member in zones
    }
    assert all(member.endswith(".local.:5432") for member in read.members)
    assert read.name == f"archive-{zone}"
    assert read.receive
    secrets = {each["valueFrom"]["secretKeyRef"]["key"] for each in container["env"] if "valueFrom" in each}
    assert secrets == {"replication-password", "auditor-password"}


def test_what_a_restore_is_asked_is_readable(small_objects, tmp_path):
    shipped = {
        each["data"]["checks.json"]
        for each in small_objects["city1"]
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith("archive-")
    }
    path = tmp_path / "checks.json"
    path.write_text(*shipped)
    read = checks.read(path)
    assert read.database == "bank"
    assert {each.id for each in read.checks if each.expect is not None} >= {
        "debit-equals-credit",
        "balance-is-opening-plus-entries",
        "nothing-is-newer-than-wished",
    }


def test_the_restore_that_is_shipped_reads_the_archive_that_is_there(small_objects):
    job = yaml.safe_load((ROOT / "topology/kubernetes/jobs/restore.yaml").read_text())
    zone = job["spec"]["nodeSelector"][ZONE]
    name, volumes = f"archive-cell0-{zone}", {each["name"]: each for each in job["spec"]["volumes"]}
    archive = archives(small_objects, "city1")[name]
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == f"data-{name}-0"
    assert volumes["checks"]["configMap"]["name"] == name
    assert archive["spec"]["template"]["spec"]["nodeSelector"] == {ZONE: zone}
    (container,) = job["spec"]["containers"]
    assert container["image"] == archive["spec"]["template"]["spec"]["containers"][0]["image"]


def test_a_restore_is_asked_what_an_audit_asks():
    topology = yaml.safe_load((ROOT / "topology/small.yaml").read_text())
    audit = {each["id"]: (each["query"], str(each["expect"])) for each in topology["audit"]["invariants"]}
    read = checks.read(ROOT / "topology/kubernetes/base/postgres/archive/checks.json")
    asked = {each.id: (each.query, each.expect) for each in read.checks if each.expect is not None}
    assert asked.pop("nothing-is-newer-than-wished")
    assert asked == audit
