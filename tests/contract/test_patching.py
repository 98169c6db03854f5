"""The three kinds of patch that the harness and the lab use."""

from __future__ import annotations

import pytest

from .asking import JSON, JSON_PATCH, MERGE, STRATEGIC, Api, core, group
from .cited import CONCURRENCY, PATCHES, UPDATES, cites
from .conftest import Region
from .workloads import deployment


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


@pytest.fixture
def config(api: Api, namespace: str) -> str:
    """The path of a ConfigMap to be patched."""
    body = {"metadata": {"name": "a", "labels": {"x": "1"}}, "data": {"a": "1", "b": "2"}}
    api.done("POST", core(namespace, "configmaps"), body)
    return core(namespace, "configmaps", "a")


@pytest.fixture
def idle(api: Api, region: Region, namespace: str) -> str:
    """The path of a Deployment without pods."""
    api.done("POST", group("apps/v1", namespace, "deployments"), deployment(region, "web", 0))
    return group("apps/v1", namespace, "deployments", "web")


@cites(UPDATES, PATCHES)
def test_a_merge_patch_sets_and_null_takes_away(api: Api, config: str) -> None:
    found = api.done(
        "PATCH", config, {"data": {"a": None, "c": "3"}, "metadata": {"labels": {"y": "2"}}}, MERGE
    )
    assert (found["data"], found["metadata"]["labels"]) == ({"b": "2", "c": "3"}, {"x": "1", "y": "2"})


@cites(PATCHES)
def test_a_merge_patch_replaces_lists_and_a_strategic_one_merges_them(api: Api, idle: str) -> None:
    def names(kind: str, image: str) -> list[str]:
        body = {"spec": {"template": {"spec": {"containers": [{"name": "d", "image": image}]}}}}
        found = api.done("PATCH", idle, body, kind)
        return sorted(item["name"] for item in found["spec"]["template"]["spec"]["containers"])

    assert names(STRATEGIC, "x:1") == ["c", "d"]
    assert names(MERGE, "x:2") == ["d"]


@cites(PATCHES)
def test_a_strategic_patch_finds_the_container_by_its_name(api: Api, region: Region, idle: str) -> None:
    env = {
        "spec": {"template": {"spec": {"containers": [{"name": "c", "env": [{"name": "A", "value": "1"}]}]}}}
    }
    found = api.done("PATCH", idle, env, STRATEGIC)
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["env"]) == (region.image, [{"name": "A", "value": "1"}])
    gone = {
        "spec": {
            "template": {"spec": {"containers": [{"name": "c", "env": [{"name": "A", "$patch": "delete"}]}]}}
        }
    }
    (container,) = api.done("PATCH", idle, gone, STRATEGIC)["spec"]["template"]["spec"]["containers"]
    assert not container.get("env")


@cites(UPDATES)
def test_a_json_patch_does_all_of_it_or_nothing(api: Api, config: str) -> None:
    steps = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "replace", "path": "/data/a", "value": "9"},
        {"op": "remove", "path": "/data/b"},
        {"op": "add", "path": "/metadata/labels/y", "value": "2"},
    ]
    found = api.done("PATCH", config, steps, JSON_PATCH)
    assert (found["data"], found["metadata"]["labels"]["y"]) == ({"a": "9"}, "2")
    # The test does not hold any more.
    assert api.call("PATCH", config, steps, JSON_PATCH).status == 422
    assert api.get(config).body == found


@cites(CONCURRENCY, UPDATES)
@pytest.mark.parametrize("kind", [MERGE, STRATEGIC])
def test_a_patch_may_insist_on_the_version_it_was_made_for(api: Api, config: str, kind: str) -> None:
    old = api.get(config).version
    api.done("PATCH", config, {"data": {"a": "2"}}, kind)
    late = {"metadata": {"resourceVersion": old}, "data": {"a": "3"}}
    api.call("PATCH", config, late, kind).refused(409, "Conflict")
    assert api.get(config).body["data"]["a"] == "2"


@cites(CONCURRENCY)
def test_a_patch_that_changes_nothing_is_no_change(api: Api, config: str) -> None:
    old = api.get(config).version
    for kind in (MERGE, STRATEGIC):
        assert api.done("PATCH", config, {"data": {"a": "1"}}, kind)["metadata"]["resourceVersion"] == old


@cites(UPDATES)
def test_a_body_that_does_not_say_what_kind_of_patch_it_is_is_refused(api: Api, config: str) -> None:
    api.call("PATCH", config, {"data": {"a": "2"}}, JSON).refused(415, "UnsupportedMediaType")


@cites(UPDATES)
def test_what_is_not_there_cannot_be_patched(api: Api, namespace: str) -> None:
    path = core(namespace, "configmaps", "nosuch")
    api.call("PATCH", path, {"data": {"a": "2"}}, MERGE).refused(404, "NotFound")
