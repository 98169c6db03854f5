"""Kinds that a definition adds: the leased fault as our manifest defines it, and definitions in general.

Kubernetes documentation: "Extend the Kubernetes API with CustomResourceDefinitions". What a real server answers,
word by word, is topic 16 of the recordings; here is what the harness and its agents rely on besides.
"""

from __future__ import annotations

import copy
import json
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException

from stormdrill import faultspec

from .conftest import Region, api_client, needs_kubectl, prepare_state
from .test_crash import start

MANIFEST = Path(__file__).parents[2] / "topology" / "kubernetes" / "base" / "stormdrill" / "fault-crd.yaml"
FAULTS = (faultspec.GROUP, faultspec.VERSION)
MERGE = {"_content_type": "application/merge-patch+json"}
GONE = 404


def definition() -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load(MANIFEST.read_text())
    return body


def other(plural: str, **names: Any) -> dict[str, Any]:
    """A definition of a kind of the tests' own."""
    body = definition()
    group = "test.stormdrill.io"
    kind = plural.removesuffix("s").capitalize()
    body["metadata"]["name"] = f"{plural}.{group}"
    body["spec"] |= {"group": group, "names": {"kind": kind, "plural": plural, **names}}
    return body


def fault(name: str, **spec: Any) -> dict[str, Any]:
    target = faultspec.NodeTarget("n1", "city1-a", ("10.0.0.0/16",))
    made = faultspec.FaultSpec(
        faultspec.FaultKind.PARTITION, "me", faultspec.Desired.APPLIED, 15.0, 0, (target,)
    )
    body = {**faultspec.spec_body(made), **spec}
    head = {"apiVersion": "/".join(FAULTS), "kind": "Fault", "metadata": {"name": name}}
    return {**head, "spec": {key: value for key, value in body.items() if value is not None}}


class Faults:
    """Faults of one namespace, through the client that the harness uses."""

    def __init__(self, region: Region, namespace: str) -> None:
        self._api = client.CustomObjectsApi(api_client(region))
        self._place = (*FAULTS, namespace, faultspec.PLURAL)

    def create(self, body: dict[str, Any]) -> Any:
        return self._api.create_namespaced_custom_object(*self._place, body)

    def get(self, name: str) -> Any:
        return self._api.get_namespaced_custom_object(*self._place, name)

    def replace(self, body: dict[str, Any]) -> Any:
        return self._api.replace_namespaced_custom_object(*self._place, body["metadata"]["name"], body)

    def patch(self, name: str, change: dict[str, Any]) -> Any:
        return self._api.patch_namespaced_custom_object(*self._place, name, change, **MERGE)

    def patch_status(self, name: str, change: dict[str, Any]) -> Any:
        return self._api.patch_namespaced_custom_object_status(*self._place, name, change, **MERGE)

    def delete(self, name: str) -> Any:
        return self._api.delete_namespaced_custom_object(*self._place, name)

    def names(self) -> list[str]:
        listed = self._api.list_namespaced_custom_object(*self._place)
        return [item["metadata"]["name"] for item in listed["items"]]

    def refused(self, body: dict[str, Any]) -> dict[str, str]:
        """What is said of each field of an object that may not be."""
        with pytest.raises(ApiException) as caught:
            self.create(body)
        assert caught.value.status == 422
        return {
            cause["field"]: cause["message"] for cause in json.loads(caught.value.body)["details"]["causes"]
        }


def extensions(region: Region) -> client.ApiextensionsV1Api:
    return client.ApiextensionsV1Api(api_client(region))


def conditions(body: Any) -> dict[str, tuple[str, str]]:
    return {item.type: (item.status, item.reason) for item in body.status.conditions or ()}


def until_established(region: Region, name: str) -> None:
    api = extensions(region)

    def established() -> bool:
        found = conditions(api.read_custom_resource_definition(name))
        return found.get("Established", ("", ""))[0] == "True"

    region.eventually(established, f"{name} is established")


def until_gone(region: Region, name: str) -> None:
    api = extensions(region)

    def gone() -> bool:
        try:
            api.read_custom_resource_definition(name)
        except ApiException as error:
            return int(error.status) == GONE
        return False

    region.eventually(gone, f"{name} is gone")


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


def test_a_definition_takes_its_objects_and_watchers_with_it(region: Region, namespace: str) -> None:
    api, body = extensions(region), other("storms")
    name, group = body["metadata"]["name"], body["spec"]["group"]
    api.create_custom_resource_definition(body)
    until_established(region, name)
    objects = client.CustomObjectsApi(api_client(region))
    place = (group, faultspec.VERSION, namespace, "storms")
    held = {**fault("held"), "apiVersion": f"{group}/{faultspec.VERSION}", "kind": "Storm"}
    held["metadata"]["finalizers"] = ["test.stormdrill.io/hold"]
    objects.create_namespaced_custom_object(*place, held)
    ended = threading.Event()

    def follow() -> None:
        answer = objects.list_namespaced_custom_object(
            *place, watch=True, timeout_seconds=60, _preload_content=False
        )
        for _ in answer.stream():
            pass
        ended.set()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    api.delete_custom_resource_definition(name)

    def terminating() -> bool:
        found = objects.get_namespaced_custom_object(*place, "held")
        return "deletionTimestamp" in found["metadata"]

    region.eventually(terminating, "the object is being deleted")
    with pytest.raises(ApiException) as caught:
        objects.create_namespaced_custom_object(*place, {**held, "metadata": {"name": "late"}})
    assert caught.value.status == 405
    # A definition waits for its objects, and they for whoever holds them.
    assert conditions(api.read_custom_resource_definition(name))["Terminating"][0] == "True"
    objects.patch_namespaced_custom_object(*place, "held", {"metadata": {"finalizers": None}}, **MERGE)
    until_gone(region, name)
    with pytest.raises(ApiException) as caught:
        objects.list_namespaced_custom_object(*place)
    assert caught.value.status == GONE
    assert ended.wait(5)


def test_a_changed_schema_counts_from_the_next_write(region: Region, namespace: str) -> None:
    api, body = extensions(region), other("gusts")
    name, group = body["metadata"]["name"], body["spec"]["group"]
    api.create_custom_resource_definition(body)
    until_established(region, name)
    objects = client.CustomObjectsApi(api_client(region))
    place = (group, faultspec.VERSION, namespace, "gusts")
    gust = {**fault("one"), "apiVersion": f"{group}/{faultspec.VERSION}", "kind": "Gust"}
    objects.create_namespaced_custom_object(*place, gust)
    changed = copy.deepcopy(body["spec"]["versions"])
    properties = changed[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    properties["force"] = {"type": "integer", "default": 9}
    properties["renewal"] = {"type": "integer", "minimum": 5}
    api.patch_custom_resource_definition(name, {"spec": {"versions": changed}}, **MERGE)

    def counts() -> bool:
        try:
            objects.patch_namespaced_custom_object(*place, "one", {"spec": {"renewal": 4}}, **MERGE)
        except ApiException as error:
            return int(error.status) == 422
        return False

    region.eventually(counts, "the new schema counts")
    found = objects.patch_namespaced_custom_object(*place, "one", {"spec": {"renewal": 6}}, **MERGE)
    assert (found["spec"]["renewal"], found["spec"]["force"]) == (6, 9)
    api.delete_custom_resource_definition(name)
    until_gone(region, name)


def test_names_that_are_taken_are_not_accepted_until_free(region: Region) -> None:
    api = extensions(region)
    first, second = other("waves", shortNames=["wv"]), other("tides", shortNames=["wv"])
    names = [body["metadata"]["name"] for body in (first, second)]
    api.create_custom_resource_definition(first)
    until_established(region, names[0])
    api.create_custom_resource_definition(second)

    def refused() -> bool:
        found = conditions(api.read_custom_resource_definition(names[1]))
        return found.get("NamesAccepted") == ("False", "ShortNamesConflict")

    region.eventually(refused, "the taken name is refused")
    api.delete_custom_resource_definition(names[0])
    until_established(region, names[1])
    api.delete_custom_resource_definition(names[1])
    for name in names:
        until_gone(region, name)


def broken(**schema: Any) -> dict[str, Any]:
    body = other("squalls")
    body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = schema
    return body


SCHEMA = "spec.versions[0].schema.openAPIV3Schema.properties[spec]"


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"properties": {"a": {}}, "type": "object"}, f"{SCHEMA}.properties[a].type"),
        ({"type": "array"}, f"{SCHEMA}.items"),
        ({"type": "text"}, f"{SCHEMA}.type"),
    ],
    ids=["no type", "no items", "no such type"],
)
def test_a_schema_that_is_not_structural_is_refused(
    region: Region, schema: dict[str, Any], field: str
) -> None:
    with pytest.raises(ApiException) as caught:
        extensions(region).create_custom_resource_definition(broken(**schema))
    assert caught.value.status == 422
    assert field in {cause["field"] for cause in json.loads(caught.value.body)["details"]["causes"]}


@pytest.mark.own_server("a real server builds all of it")
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "x-kubernetes-validations": [{"rule": "self.a == 1"}]},
        {"type": "integer", "anyOf": [{"minimum": 1}]},
        {"type": "string", "format": "ipv4"},
        {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
    ],
    ids=["rule", "anyOf", "format", "set"],
)
def test_what_is_not_checked_is_not_accepted(region: Region, schema: dict[str, Any]) -> None:
    with pytest.raises(ApiException) as caught:
        extensions(region).create_custom_resource_definition(broken(**schema))
    assert caught.value.status == 501


@pytest.mark.own_server("it kills the server")
@pytest.mark.timeout(60)
def test_definitions_and_faults_survive_kill_9(tmp_path: Path) -> None:
    region = prepare_state(tmp_path)
    process = start(region)
    extensions(region).create_custom_resource_definition(definition())
    # The log holds objects in the order of their names: this one's stand before the definitions.
    early = other("gales")
    early["spec"]["group"], early["metadata"]["name"] = "a.stormdrill.io", "gales.a.stormdrill.io"
    extensions(region).create_custom_resource_definition(early)
    objects = client.CustomObjectsApi(api_client(region))
    gale = {**fault("early"), "apiVersion": f"a.stormdrill.io/{faultspec.VERSION}", "kind": "Gale"}
    place = ("a.stormdrill.io", faultspec.VERSION, "default", "gales")
    objects.create_namespaced_custom_object(*place, gale)
    faults = Faults(region, "default")
    faults.create(fault("one"))
    last = faults.patch_status("one", {"status": {"nodes": {"n1": {"state": "applied"}}}})
    process.send_signal(signal.SIGKILL)
    process.wait()

    process = start(region)
    try:
        faults = Faults(region, "default")
        assert faults.get("one") == last
        assert objects.get_namespaced_custom_object(*place, "early")["kind"] == "Gale"
        assert faults.refused(fault("bad", renewal=-1)).keys() == {"spec.renewal"}
        extensions(region).delete_custom_resource_definition("faults.stormdrill.io")
        until_gone(region, "faults.stormdrill.io")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
