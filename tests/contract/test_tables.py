"""Tables: what a client shows without knowing the kind."""

from __future__ import annotations

import pytest

from .asking import JSON, TABLE, Api, core
from .cited import TABLES, cites
from .conftest import Region
from .workloads import pod, run_pod


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


@cites(TABLES)
def test_a_list_comes_as_a_table_with_its_columns(api: Api, region: Region, namespace: str) -> None:
    run_pod(region, api, namespace, pod(region, "one"))
    body = api.call("GET", core(namespace, "pods"), accept=f"{TABLE},{JSON}").body
    assert (body["kind"], body["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    columns = [(column["name"], column["priority"]) for column in body["columnDefinitions"]]
    assert columns[:5] == [("Name", 0), ("Ready", 0), ("Status", 0), ("Restarts", 0), ("Age", 0)]
    assert {"IP", "Node"} <= {name for name, priority in columns if priority > 0}
    (row,) = body["rows"]
    shown = dict(zip((name for name, _ in columns), row["cells"], strict=True))
    assert (shown["Name"], shown["Ready"], shown["Status"]) == ("one", "1/1", "Running")
    # Of the object itself its metadata come along, unless asked otherwise.
    assert (row["object"]["kind"], row["object"]["metadata"]["name"]) == ("PartialObjectMetadata", "one")


@cites(TABLES)
@pytest.mark.parametrize(("include", "kind"), [("Object", "Secret"), ("Metadata", "PartialObjectMetadata")])
def test_how_much_of_the_object_comes_along(api: Api, namespace: str, include: str, kind: str) -> None:
    api.done("POST", core(namespace, "secrets"), {"metadata": {"name": "a"}})
    path = core(namespace, "secrets", "a")
    body = api.call("GET", path, accept=TABLE, includeObject=include).body
    assert [row["object"]["kind"] for row in body["rows"]] == [kind]


@cites(TABLES)
def test_a_row_may_come_without_its_object(api: Api, namespace: str) -> None:
    api.done("POST", core(namespace, "secrets"), {"metadata": {"name": "a"}})
    (row,) = api.call("GET", core(namespace, "secrets", "a"), accept=TABLE, includeObject="None").body["rows"]
    assert not row.get("object")
    assert row["cells"][0] == "a"


@cites(TABLES)
def test_a_watch_comes_as_tables_and_tells_the_columns_once(api: Api, namespace: str) -> None:
    began = api.get(core(namespace, "secrets")).version
    for name in ("a", "b"):
        api.done("POST", core(namespace, "secrets"), {"metadata": {"name": name}})
    found = []
    for event in api.watch(core(namespace, "secrets"), accept=TABLE, resourceVersion=began):
        found.append(event)
        if len(found) == 2:
            break
    assert [event["type"] for event in found] == ["ADDED", "ADDED"]
    assert [event["object"]["rows"][0]["cells"][0] for event in found] == ["a", "b"]
    assert [bool(event["object"]["columnDefinitions"]) for event in found] == [True, False]


@cites(TABLES)
def test_what_knows_no_tables_gets_the_objects(api: Api, namespace: str) -> None:
    unknown = "application/json;as=Table;v=v9;g=meta.k8s.io"
    body = api.call("GET", core(namespace, "secrets"), accept=f"{unknown},{JSON}").body
    assert body["kind"] == "SecretList"
