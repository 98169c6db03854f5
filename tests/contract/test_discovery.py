"""Discovery: what the lab serves is described as the recorded server (topic 01) describes it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from .replay import RECORDED
from .served import serve

CALLS = {call["id"]: call for call in json.loads((RECORDED / "01-discovery.json").read_text())}
LISTS = {2: "api/v1", 3: "apis/apps/v1", 5: "apis/coordination.k8s.io/v1", 6: "apis/policy/v1",
         7: "apis/discovery.k8s.io/v1"}  # fmt: skip


def ask(paths: dict[int, tuple[str, dict[str, str]]]) -> dict[int, Any]:
    async def all_of_them() -> dict[int, Any]:
        async with (
            serve() as served,
            aiohttp.ClientSession(headers={"Authorization": "Bearer admin-token"}) as session,
        ):
            found = {}
            for number, (path, headers) in paths.items():
                async with session.get(f"{served.url}/{path}", headers=headers) as answer:
                    assert answer.status == 200
                    found[number] = await answer.json(content_type=None)
            return found

    return asyncio.run(all_of_them())


@pytest.fixture(scope="module")
def plain() -> dict[int, Any]:
    return ask({number: (path, {}) for number, path in LISTS.items()})


def without(entry: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}


@pytest.mark.parametrize("number", LISTS)
def test_each_resource_is_described_as_recorded(number: int, plain: dict[int, Any]) -> None:
    recorded = {entry["name"]: entry for entry in CALLS[number]["response"]["body"]["resources"]}
    body = plain[number]
    assert without(body, "resources") == without(CALLS[number]["response"]["body"], "resources")
    assert body["resources"]
    for entry in body["resources"]:
        # The hash names a version of the storage format, of which there is none here.
        assert entry == without(recorded[entry["name"]], "storageVersionHash")


@pytest.mark.parametrize("number", [16, 17])
def test_aggregated_discovery_is_what_kubectl_asks_for(number: int) -> None:
    request = CALLS[number]["request"]
    body = ask({number: (request["path"].lstrip("/"), request["headers"])})[number]
    recorded = CALLS[number]["response"]["body"]
    assert without(body, "items") == without(recorded, "items")
    wanted = {item["metadata"].get("name", ""): item for item in recorded["items"]}
    groups = [item for item in body["items"] if item["metadata"].get("name", "") in wanted]
    assert groups
    for item in groups:
        known = {
            entry["resource"]: entry
            for entry in wanted[item["metadata"].get("name", "")]["versions"][0]["resources"]
        }
        for entry in item["versions"][0]["resources"]:
            recorded_entry = known[entry["resource"]]
            assert without(entry, "subresources") == without(recorded_entry, "subresources")
            parts = {part["subresource"]: part for part in recorded_entry.get("subresources", ())}
            for part in entry.get("subresources", ()):
                assert part == parts[part["subresource"]]
