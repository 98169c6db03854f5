"""The lab's own way of applying objects, against the API it is made for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stormlab import pki
from stormlab.apply import Applier
from stormlab.client import Client
from stormlab.errors import LabError

from .cited import FIELD_VALIDATION, cites
from .conftest import Region

pytestmark = [pytest.mark.own_server("the lab applies objects to its own API only"), cites(FIELD_VALIDATION)]


def apply(region: Region, *objects: dict[str, Any]) -> None:
    async def scenario() -> None:
        token = pki.token(region.state, "admin")
        url = f"https://127.0.0.1:{region.port}"
        async with Client(url, region.state / "pki" / "ca.crt", token) as client:
            await Applier(client).apply(objects)

    asyncio.run(scenario())


def budget(namespace: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "b", "namespace": namespace}
    selector = {"matchLabels": {"app": "web"}}
    spec = {"selector": selector, **spec}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}


def test_applying_twice_changes_what_differs(region: Region, namespace: str) -> None:
    apply(region, budget(namespace, minAvailable=1))
    apply(region, budget(namespace, minAvailable=1))
    apply(region, budget(namespace, minAvailable=2))
    path = "-o=jsonpath={.spec.minAvailable}"
    assert region.kubectl("-n", namespace, "get", "pdb", "b", path) == "2"


def test_a_misspelt_field_is_refused_when_made_and_when_changed(region: Region, namespace: str) -> None:
    why = 'PodDisruptionBudget .*/b: .*unknown field "spec.minAvailabel"'
    with pytest.raises(LabError, match=why):
        apply(region, budget(namespace, minAvailabel=1))
    apply(region, budget(namespace, minAvailable=1))
    with pytest.raises(LabError, match=why):
        apply(region, budget(namespace, minAvailabel=1))
