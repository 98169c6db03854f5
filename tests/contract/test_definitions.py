"""CustomResourceDefinitions: what they serve, change, refuse and take with them; and that they survive kill -9.

Kubernetes documentation: "Extend the Kubernetes API with CustomResourceDefinitions", "Versions", "Finalizers".
"""

from __future__ import annotations

import copy
import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from stormdrill import faultspec

from .cited import CUSTOM_DELETION, SCHEMAS, cites
from .conftest import Region, api_client, prepare_state
from .customs import (
    GONE,
    MERGE,
    Faults,
    conditions,
    definition,
    extensions,
    fault,
    other,
    until_established,
    until_gone,
)
from .test_crash import start

pytestmark = cites(CUSTOM_DELETION, SCHEMAS)


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
