"""Which objects a list shows: by label, by field, by page."""

from __future__ import annotations

import pytest

from .asking import Api, core
from .cited import CHUNKS, FIELDS, LABELS, RESOURCE_VERSIONS, UNAVAILABLE, cites
from .conftest import PROGRAM, Region

LABELLED = {
    "a": {"app": "bank", "zone": "one"},
    "b": {"app": "bank", "zone": "two"},
    "c": {"app": "edge"},
    "d": {},
}


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


@pytest.fixture
def labelled(api: Api, namespace: str) -> str:
    for name, labels in LABELLED.items():
        api.done("POST", core(namespace, "secrets"), {"metadata": {"name": name, "labels": labels}})
    return namespace


def names(api: Api, path: str, **query: str) -> str:
    return "".join(item["metadata"]["name"] for item in api.done("GET", path, **query)["items"])


@cites(LABELS)
@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("app=bank", "ab"), ("app==bank,zone=two", "b"), ("app!=bank", "cd"), ("app in (bank, edge)", "abc"),
        ("zone notin (one)", "bcd"), ("zone", "ab"), ("!zone", "cd"), ("app,!zone", "c"), ("app=nothing", ""),
    ],
)  # fmt: skip
def test_label_selectors(api: Api, labelled: str, selector: str, found: str) -> None:
    assert names(api, core(labelled, "secrets"), labelSelector=selector) == found


@cites(LABELS)
@pytest.mark.parametrize("selector", ["app in bank", "=", "app=a b"])
def test_a_selector_that_is_none_is_refused(api: Api, namespace: str, selector: str) -> None:
    api.get(core(namespace, "secrets"), labelSelector=selector).refused(400, "BadRequest")


@cites(FIELDS)
@pytest.mark.parametrize(
    ("selector", "found"),
    [("metadata.name=b", "b"), ("metadata.name!=b", "acd"), ("type=Opaque,metadata.name=c", "c")],
)
def test_field_selectors(api: Api, labelled: str, selector: str, found: str) -> None:
    assert names(api, core(labelled, "secrets"), fieldSelector=selector) == found


@cites(FIELDS)
def test_a_field_that_cannot_be_selected_by_is_an_error(api: Api, namespace: str) -> None:
    body = api.get(core(namespace, "secrets"), fieldSelector="data.k=v").refused(400, "BadRequest")
    assert "field label not supported" in body["message"]


@cites(FIELDS)
def test_pods_by_node_and_phase_everywhere(region: Region, api: Api, namespace: str) -> None:
    container = {"name": "c", "image": region.image, "command": PROGRAM}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    api.done("POST", core(namespace, "pods"), {"metadata": {"name": "p"}, "spec": spec})
    path = core(namespace, "pods", "p")
    region.eventually(lambda: api.done("GET", path)["status"]["phase"] == "Running", "it runs")
    node = api.done("GET", path)["spec"]["nodeName"]
    for selector, shown in ((f"spec.nodeName={node}", True), (f"spec.nodeName!={node}", False)):
        chosen = api.done("GET", "/api/v1/pods", fieldSelector=f"{selector},status.phase=Running")["items"]
        homes = {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in chosen}
        assert ((namespace, "p") in homes) is shown


@cites(CHUNKS)
def test_pages_show_one_moment_whatever_happens_meanwhile(api: Api, labelled: str) -> None:
    path = core(labelled, "secrets")
    first = api.done("GET", path, limit="2")
    assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
    api.done("DELETE", core(labelled, "secrets", "c"))
    api.done("POST", path, {"metadata": {"name": "e"}})
    rest = api.done("GET", path, limit="5", **{"continue": first["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c", "d"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert not rest["metadata"].get("continue")
    assert names(api, path) == "abde"


@cites(RESOURCE_VERSIONS)
@pytest.mark.parametrize(
    "query", [{"resourceVersionMatch": "Exact"}, {"limit": "9"}], ids=["exact", "in pages"]
)
def test_a_list_of_the_past(api: Api, labelled: str, query: dict[str, str]) -> None:
    path = core(labelled, "secrets")
    then = api.get(path).version
    api.done("DELETE", core(labelled, "secrets", "a"))
    now = api.done("POST", path, {"metadata": {"name": "e"}})["metadata"]["resourceVersion"]
    past = api.done("GET", path, resourceVersion=then, **query)
    assert "".join(item["metadata"]["name"] for item in past["items"]) == "abcd"
    assert past["metadata"]["resourceVersion"] == then
    # Not older than, which may be newer.
    assert names(api, path, resourceVersion=then, resourceVersionMatch="NotOlderThan") in {
        "abcd",
        "bcd",
        "bcde",
    }
    assert names(api, path, resourceVersion=now, resourceVersionMatch="NotOlderThan") == "bcde"


@cites(UNAVAILABLE)
def test_a_version_that_nobody_has_seen_yet_is_waited_for_and_then_refused(api: Api, namespace: str) -> None:
    answer = api.get(core(namespace, "secrets"), resourceVersion="9223372036854775000")
    body = answer.refused(504, "Timeout")
    assert "Too large resource version" in body["message"]
    assert answer.headers["Retry-After"]
