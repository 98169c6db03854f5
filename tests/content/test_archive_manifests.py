"""Archives as shipped: where they stand, whose log they keep, and that the program accepts what it is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from stormarchive import checks, settings

ROOT = Path(__file__).resolve().parents[2]
ZONE = "topology.kubernetes.io/zone"
PLACES = {"city1": "city1-b", "city2": "city2-a"}


@pytest.mark.parametrize("region", PLACES)
def test_a_cell_has_an_archive_in_the_other_zone_and_in_the_remote_city(small_objects, region):
    sets = [each for each in small_objects[region] if each["kind"] == "StatefulSet"]
    (archive,) = [each for each in sets if each["metadata"]["labels"]["app"] == "archive"]
    zone = PLACES[region]
    assert archive["metadata"]["name"] == archive["spec"]["serviceName"] == f"archive-cell0-{zone}"
    pod = archive["spec"]["template"]
    assert pod["spec"]["nodeSelector"] == {ZONE: zone}
    assert pod["metadata"]["labels"] == {"app": "archive", "cell": "cell0", ZONE: zone}
    (container,) = pod["spec"]["containers"]
    told = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    read = settings.read(told)
    # Every member that may ever be primary, and no name that would have to be looked for.
    assert {member.split(".")[0] for member in read.members} == {
        "pg-city1-a-0",
        "pg-city1-b-0",
        "pg-city2-a-0",
    }
    assert all(member.endswith(".local.:5432") for member in read.members)
    assert read.name == f"archive-{zone}"
    assert read.receive
    secrets = {each["valueFrom"]["secretKeyRef"]["key"] for each in container["env"] if "valueFrom" in each}
    assert secrets == {"replication-password", "auditor-password"}


def test_what_a_restore_is_asked_is_readable(small_objects, tmp_path):
    (shipped,) = [
        each
        for each in small_objects["city1"]
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith("archive-")
    ]
    path = tmp_path / "checks.json"
    path.write_text(shipped["data"]["checks.json"])
    read = checks.read(path)
    assert read.database == "bank"
    assert {each.id for each in read.checks if each.expect is not None} >= {
        "debit-equals-credit",
        "balance-is-opening-plus-entries",
        "nothing-is-newer-than-wished",
    }
    json.loads(shipped["data"]["checks.json"])


def test_the_restore_that_is_shipped_reads_the_archive_that_is_there(small_objects):
    job = yaml.safe_load((ROOT / "topology/kubernetes/jobs/restore.yaml").read_text())
    (archive,) = [
        each
        for each in small_objects["city1"]
        if each["kind"] == "StatefulSet" and each["metadata"]["labels"]["app"] == "archive"
    ]
    name, volumes = archive["metadata"]["name"], {each["name"]: each for each in job["spec"]["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == f"data-{name}-0"
    assert volumes["checks"]["configMap"]["name"] == name
    assert job["spec"]["nodeSelector"] == archive["spec"]["template"]["spec"]["nodeSelector"]
    (container,) = job["spec"]["containers"]
    assert container["image"] == archive["spec"]["template"]["spec"]["containers"][0]["image"]


def test_a_restore_is_asked_what_an_audit_asks():
    topology = yaml.safe_load((ROOT / "topology/small.yaml").read_text())
    audit = {each["id"]: (each["query"], str(each["expect"])) for each in topology["audit"]["invariants"]}
    read = checks.read(ROOT / "topology/kubernetes/base/postgres/archive/checks.json")
    asked = {each.id: (each.query, each.expect) for each in read.checks if each.expect is not None}
    assert asked.pop("nothing-is-newer-than-wished")
    assert asked == audit
