"""Definitions and their objects as tests make them: the leased fault of our manifest, and kinds of the tests' own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from stormdrill import faultspec

from .conftest import Region, api_client

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
