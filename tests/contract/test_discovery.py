"""Discovery: what the lab serves is described as the recorded server (topic 01) describes it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from stormlab.api import kinds

from .cited import DISCOVERY, RECORDING, cites
from .conftest import Region
from .replay import RECORDED
from .wire import wire

pytestmark = cites(DISCOVERY, RECORDING)

CALLS = {call["id"]: call for call in json.loads((RECORDED / "01-discovery.json").read_text())}
LISTS = {2: "api/v1", 3: "apis/apps/v1", 5: "apis/coordination.k8s.io/v1", 6: "apis/policy/v1",
         7: "apis/discovery.k8s.io/v1", 8: "apis/apiextensions.k8s.io/v1"}  # fmt: skip


def ask(region: Region, paths: dict[int, tuple[str, dict[str, str]]]) -> dict[int, Any]:
    async def all_of_them() -> dict[int, Any]:
        to = wire(region)
        connector = aiohttp.TCPConnector(ssl=to.tls)
        async with aiohttp.ClientSession(headers=to.headers, connector=connector) as session:
            found = {}
            for number, (path, headers) in paths.items():
                async with session.get(f"{to.url}/{path}", headers=headers) as answer:
                    assert answer.status == 200
                    found[number] = await answer.json(content_type=None)
            return found

    return asyncio.run(all_of_them())


@pytest.fixture(scope="module")
def plain(region: Region) -> dict[int, Any]:
    return ask(region, {number: (path, {}) for number, path in LISTS.items()})


def without(entry: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}


def relied_on(api_version: str) -> dict[str, tuple[str, ...]]:
    """Names of the resources that the lab serves of a group's version, with their subresources."""
    return {kind.plural: tuple(kind.subresources) for kind in kinds.KINDS if kind.api_version == api_version}


@pytest.mark.parametrize("number", LISTS)
def test_each_resource_is_described_as_recorded(number: int, plain: dict[int, Any]) -> None:
    recorded = {entry["name"]: entry for entry in CALLS[number]["response"]["body"]["resources"]}
    body = plain[number]
    assert without(body, "resources") == without(CALLS[number]["response"]["body"], "resources")
    served = {entry["name"]: entry for entry in body["resources"]}
    resources = relied_on(LISTS[number].partition("/")[2])
    wanted = {*resources, *(f"{name}/{part}" for name, parts in resources.items() for part in parts)}
    assert wanted
    assert wanted <= served.keys()
    for name in wanted:
        # The hash names a version of the storage format, of which there is none in the lab.
        assert without(served[name], "storageVersionHash") == without(recorded[name], "storageVersionHash")


@pytest.mark.own_server("other clusters serve more")
@pytest.mark.parametrize("number", LISTS)
def test_the_lab_serves_nothing_else(number: int, plain: dict[int, Any]) -> None:
    resources = relied_on(LISTS[number].partition("/")[2])
    assert {entry["name"].partition("/")[0] for entry in plain[number]["resources"]} == resources.keys()
    assert {entry["name"] for entry in plain[number]["resources"] if "/" in entry["name"]} == {
        f"{name}/{part}" for name, parts in resources.items() for part in parts
    }


@pytest.mark.parametrize("number", [16, 17])
def test_aggregated_discovery_is_what_kubectl_asks_for(region: Region, number: int) -> None:
    request = CALLS[number]["request"]
    body = ask(region, {number: (request["path"].lstrip("/"), request["headers"])})[number]
    recorded = CALLS[number]["response"]["body"]
    assert without(body, "items") == without(recorded, "items")
    wanted = {item["metadata"].get("name", ""): item for item in recorded["items"]}
    compared = 0
    for item in body["items"]:
        group = item["metadata"].get("name", "")
        version = item["versions"][0]["version"]
        resources = relied_on(f"{group}/{version}" if group else version)
        if group not in wanted or not resources:
            continue
        known = {entry["resource"]: entry for entry in wanted[group]["versions"][0]["resources"]}
        served = {entry["resource"]: entry for entry in item["versions"][0]["resources"]}
        for name, subresources in resources.items():
            compared += 1
            assert without(served[name], "subresources") == without(known[name], "subresources")
            parts = {part["subresource"]: part for part in known[name].get("subresources", ())}
            found = {part["subresource"]: part for part in served[name].get("subresources", ())}
            for part in subresources:
                assert found[part] == parts[part]
    assert compared
