"""The leased fault as our manifest defines it: what the harness and its agents rely on.

Kubernetes documentation: "Extend the Kubernetes API with CustomResourceDefinitions". What a real server answers,
word by word, is topic 16 of the recordings.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException

from stormdrill import faultspec

from .cited import CUSTOM_COLUMNS, CUSTOM_VALIDATION, PRUNING, SCHEMAS, STATUS_SUBRESOURCE, cites
from .conftest import Region, api_client, needs_kubectl
from .customs import FAULTS, MANIFEST, Faults, definition, extensions, fault, until_established, until_gone

pytestmark = cites(STATUS_SUBRESOURCE, SCHEMAS, PRUNING, CUSTOM_VALIDATION, CUSTOM_COLUMNS)


@pytest.fixture(scope="module")
def defined(region: Region) -> Iterator[str]:
    """The definition of faults, made here and taken away; left alone where the cluster has it already."""
    api, body = extensions(region), definition()
    name = body["metadata"]["name"]
    try:
        api.create_custom_resource_definition(body)
    except ApiException as error:
        if error.status != 409:
            raise
        yield name
        return
    until_established(region, name)
    yield name
    api.delete_custom_resource_definition(name)
    until_gone(region, name)


@pytest.fixture
def faults(region: Region, namespace: str, defined: str) -> Faults:
    return Faults(region, namespace)


def test_a_fault_is_kept_as_written(faults: Faults) -> None:
    made = faults.create(fault("one"))
    kept = faults.get("one")
    assert kept == made
    assert faultspec.spec_of(kept["spec"]) == faultspec.spec_of(fault("one")["spec"])
    assert kept["metadata"]["generation"] == 1
    assert "status" not in kept


def test_a_renewal_is_a_change_and_an_equal_one_is_none(faults: Faults) -> None:
    faults.create(fault("one"))
    renewed = faults.patch("one", {"spec": {"renewal": 1}})
    assert (renewed["spec"]["renewal"], renewed["metadata"]["generation"]) == (1, 2)
    assert faults.patch("one", {"spec": {"renewal": 1}}) == renewed


def test_each_agent_writes_its_own_node(faults: Faults) -> None:
    faults.create(fault("one"))
    for node, state in (("n1", "applied"), ("n2", "applying"), ("n2", "applied")):
        entry = {"state": state, "evidence": {"rules": 6, "of": {"any": ["shape", 1]}}}
        said = faults.patch_status("one", {"status": {"nodes": {node: entry}}, "spec": {"renewal": 99}})
    assert {node: item["state"] for node, item in said["status"]["nodes"].items()} == {
        "n1": "applied", "n2": "applied",
    }  # fmt: skip
    assert said["status"]["nodes"]["n1"]["evidence"] == {"rules": 6, "of": {"any": ["shape", 1]}}
    assert said["spec"]["renewal"] == 0
    assert said["metadata"]["generation"] == 1


def test_the_harness_cannot_write_what_agents_say(faults: Faults) -> None:
    claimed = {"nodes": {"n1": {"state": "applied"}}}
    made = faults.create({**fault("one"), "status": claimed})
    assert "status" not in made
    faults.patch_status("one", {"status": {"nodes": {"n1": {"state": "failed"}}}})
    faults.patch("one", {"status": claimed})
    assert faults.get("one")["status"]["nodes"] == {"n1": {"state": "failed"}}
    faults.replace({**faults.get("one"), "status": claimed})
    assert faults.get("one")["status"]["nodes"] == {"n1": {"state": "failed"}}


def test_a_lost_race_is_a_conflict(faults: Faults) -> None:
    first = faults.create(fault("one"))
    faults.patch("one", {"spec": {"renewal": 1}})
    with pytest.raises(ApiException) as caught:
        faults.replace(first)
    assert caught.value.status == 409


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"kind": "flood"}, "spec.kind", 'Unsupported value: "flood": supported values: "partition", "site-loss"'),
        ({"holder": ""}, "spec.holder", 'Invalid value: "": spec.holder in body should be at least 1 chars long'),
        ({"holder": None}, "spec.holder", "Required value"),
        ({"leaseSeconds": 0.5}, "spec.leaseSeconds",
         "Invalid value: 0.5: spec.leaseSeconds in body should be greater than or equal to 1"),
        ({"deadlineSeconds": 3601}, "spec.deadlineSeconds",
         "Invalid value: 3601: spec.deadlineSeconds in body should be less than or equal to 3600"),
        ({"renewal": 1.5}, "spec.renewal",
         'Invalid value: "number": spec.renewal in body must be of type integer: "number"'),
        ({"renewal": True}, "spec.renewal",
         'Invalid value: "boolean": spec.renewal in body must be of type integer: "boolean"'),
        ({"targets": []}, "spec.targets", "Invalid value: 0: spec.targets in body should have at least 1 items"),
        ({"targets": [{"node": "n", "zone": "z"}, {"node": "n"}]}, "spec.targets[1].zone", "Required value"),
        ({"targets": [{"node": "n", "zone": "z", "inside": ["a", 7]}]}, "spec.targets[0].inside[1]",
         'Invalid value: "integer": spec.targets[0].inside[1] in body must be of type string: "integer"'),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_the_schema_forbids_is_refused_with_its_path(
    faults: Faults, spec: dict[str, Any], field: str, message: str
) -> None:
    assert faults.refused(fault("bad", **spec)) == {field: message}
    assert faults.names() == []


def test_a_status_is_checked_too(faults: Faults) -> None:
    faults.create(fault("one"))
    with pytest.raises(ApiException) as caught:
        faults.patch_status("one", {"status": {"nodes": {"n1": {"state": "broken"}}}})
    assert caught.value.status == 422
    causes = json.loads(caught.value.body)["details"]["causes"]
    assert [cause["field"] for cause in causes] == ["status.nodes.n1.state"]
    assert "status" not in faults.get("one")


def test_unknown_fields_are_dropped_where_the_schema_knows_all(faults: Faults) -> None:
    made = faults.create(fault("one", leaseSecs=3, targets=[{"node": "n", "zone": "z", "colour": "red"}]))
    assert "leaseSecs" not in made["spec"]
    assert made["spec"]["targets"] == [{"node": "n", "zone": "z"}]


def test_a_watcher_sees_each_change_once_and_in_order(region: Region, faults: Faults, namespace: str) -> None:
    seen: list[tuple[str, int, bool]] = []
    api = client.CustomObjectsApi(api_client(region))
    began = api.list_namespaced_custom_object(*FAULTS, namespace, faultspec.PLURAL)["metadata"]

    def follow() -> None:
        stream = watch.Watch().stream(
            api.list_namespaced_custom_object, *FAULTS, namespace, faultspec.PLURAL,
            resource_version=began["resourceVersion"], timeout_seconds=15,
        )  # fmt: skip
        for event in stream:
            body = event["object"]
            seen.append((event["type"], body["spec"]["renewal"], "status" in body))
            if event["type"] == "DELETED":
                return

    thread = threading.Thread(target=follow)
    thread.start()
    faults.create(fault("one"))
    faults.patch("one", {"spec": {"renewal": 1}})
    faults.patch("one", {"spec": {"renewal": 1}})
    faults.patch_status("one", {"status": {"nodes": {"n1": {"state": "applied"}}}})
    faults.delete("one")
    thread.join(timeout=15)
    assert seen == [("ADDED", 0, False), ("MODIFIED", 1, False), ("MODIFIED", 1, True), ("DELETED", 1, True)]


def test_a_namespace_takes_its_faults_with_it(region: Region, faults: Faults, namespace: str) -> None:
    faults.create(fault("one"))
    core = client.CoreV1Api(api_client(region))
    core.delete_namespace(namespace)
    region.eventually(lambda: faults.names() == [], "the fault is gone")


@needs_kubectl
def test_kubectl_applies_and_shows_faults(region: Region, defined: str, namespace: str) -> None:
    region.kubectl("apply", "--validate=false", "-f", str(MANIFEST))
    region.kubectl("wait", "--for=condition=Established", f"crd/{defined}", region.timeout)
    body = yaml.safe_dump(fault("one"))
    assert "created" in region.kubectl("-n", namespace, "apply", "--validate=false", "-f", "-", stdin=body)
    assert "unchanged" in region.kubectl("-n", namespace, "apply", "--validate=false", "-f", "-", stdin=body)
    lines = region.kubectl("-n", namespace, "get", "flt").splitlines()
    assert lines[0].split() == ["NAME", "KIND", "DESIRED", "HOLDER", "LEASE"]
    assert lines[1].split() == ["one", "partition", "applied", "me", "15"]
    assert re.search(
        "(?m)^faults +flt .* Fault$", region.kubectl("api-resources", "--api-group=stormdrill.io")
    )
    region.kubectl("-n", namespace, "delete", "fault", "one")
