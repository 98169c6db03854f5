"""Create, read, replace and delete: what every call of the harness rests on."""

from __future__ import annotations

import datetime as dt

import pytest

from .asking import Api, Json, core
from .cited import CONCURRENCY, DELETION, FINALIZERS, STATUS_KIND, UPDATES, VERBS, cites
from .conftest import Region


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


def config(name: str, **data: str) -> Json:
    return {"metadata": {"name": name}, "data": data}


@cites(VERBS)
def test_what_is_made_is_there_until_it_is_deleted(api: Api, namespace: str) -> None:
    made = api.call("POST", core(namespace, "configmaps"), config("a", k="v"))
    assert made.status == 201
    meta = made.body["metadata"]
    assert (made.body["kind"], made.body["apiVersion"], made.body["data"]) == ("ConfigMap", "v1", {"k": "v"})
    assert (meta["name"], meta["namespace"]) == ("a", namespace)
    assert dt.datetime.fromisoformat(meta["creationTimestamp"]).tzinfo is not None
    assert meta["uid"]
    assert meta["resourceVersion"]
    assert api.get(core(namespace, "configmaps", "a")).body == made.body
    listed = api.get(core(namespace, "configmaps")).body
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert "a" in [item["metadata"]["name"] for item in listed["items"]]
    api.done("DELETE", core(namespace, "configmaps", "a"))
    api.get(core(namespace, "configmaps", "a")).refused(404, "NotFound")


@cites(VERBS)
def test_a_name_is_taken_once_and_may_be_generated(api: Api, namespace: str) -> None:
    path = core(namespace, "configmaps")
    api.done("POST", path, config("a"))
    body = api.call("POST", path, config("a")).refused(409, "AlreadyExists")
    assert body["details"]["name"] == "a"
    names = {
        api.done("POST", path, {"metadata": {"generateName": "g-"}})["metadata"]["name"] for _ in range(3)
    }
    assert len(names) == 3
    assert all(name.startswith("g-") and len(name) > 2 for name in names)


@cites(VERBS)
def test_nothing_is_made_in_a_namespace_that_is_not_there(api: Api, namespace: str) -> None:
    elsewhere = f"{namespace}-not"[-63:].lstrip("-")
    api.call("POST", core(elsewhere, "configmaps"), config("a")).refused(404, "NotFound")
    # A list of it is empty, not an error.
    assert not api.done("GET", core(elsewhere, "configmaps"))["items"]


@cites(UPDATES, CONCURRENCY)
def test_a_replacement_of_what_was_read_holds_only_while_it_is_so(api: Api, namespace: str) -> None:
    first = api.done("POST", core(namespace, "configmaps"), config("a", k="1"))
    path = core(namespace, "configmaps", "a")
    second = api.done("PUT", path, {**first, "data": {"k": "2"}})
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    body = api.call("PUT", path, {**first, "data": {"k": "3"}}).refused(409, "Conflict")
    assert body["details"]["name"] == "a"
    assert api.get(path).body["data"] == {"k": "2"}


@cites(CONCURRENCY)
def test_a_replacement_that_changes_nothing_is_no_change(api: Api, namespace: str) -> None:
    first = api.done("POST", core(namespace, "configmaps"), config("a", k="1"))
    again = api.done("PUT", core(namespace, "configmaps", "a"), first)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


@cites(UPDATES)
def test_the_name_in_the_path_and_in_the_body_must_agree(api: Api, namespace: str) -> None:
    first = api.done("POST", core(namespace, "configmaps"), config("a"))
    api.call("PUT", core(namespace, "configmaps", "b"), first).refused(400, "BadRequest")


@cites(DELETION, STATUS_KIND)
def test_a_delete_answers_success_with_the_uid(api: Api, namespace: str) -> None:
    made = api.done("POST", core(namespace, "configmaps"), config("a"))
    gone = api.done("DELETE", core(namespace, "configmaps", "a"))
    assert (gone["kind"], gone["status"]) == ("Status", "Success")
    assert (gone["details"]["name"], gone["details"]["uid"]) == ("a", made["metadata"]["uid"])
    api.call("DELETE", core(namespace, "configmaps", "a")).refused(404, "NotFound")


@cites(DELETION, CONCURRENCY)
@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
def test_a_delete_can_be_meant_for_this_very_object(api: Api, namespace: str, field: str) -> None:
    old = api.done("POST", core(namespace, "configmaps"), config("a"))["metadata"]
    path = core(namespace, "configmaps", "a")
    api.done("DELETE", path)
    new = api.done("POST", core(namespace, "configmaps"), config("a"))["metadata"]
    options = {"apiVersion": "v1", "kind": "DeleteOptions"}
    api.call("DELETE", path, {**options, "preconditions": {field: old[field]}}).refused(409, "Conflict")
    api.done("DELETE", path, {**options, "preconditions": {field: new[field]}})


@cites(FINALIZERS, DELETION)
def test_a_finalizer_holds_an_object_until_it_is_taken_away(api: Api, namespace: str) -> None:
    held = {"metadata": {"name": "a", "finalizers": ["test.stormdrill.io/hold"]}}
    api.done("POST", core(namespace, "configmaps"), held)
    path = core(namespace, "configmaps", "a")
    kept = api.done("DELETE", path)
    assert kept["kind"] == "ConfigMap"
    found = api.get(path).body
    assert found["metadata"]["deletionTimestamp"]
    api.done("PUT", path, {**found, "metadata": {**found["metadata"], "finalizers": []}})
    api.get(path).refused(404, "NotFound")
