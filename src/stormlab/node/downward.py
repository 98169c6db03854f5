"""What a pod may learn about itself: fields of its object (`fieldRef`) and its resources (`resourceFieldRef`)."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping

from stormlab.errors import LabError
from stormlab.node.podspec import Container, Object, PodSpec
from stormlab.quantity import quantity

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class ConfigError(LabError):
    """A ConfigMap, Secret, key or field that the pod refers to is not there."""


def field(path: str, pod: PodSpec, addresses: Mapping[str, str]) -> str:
    """Value of a `fieldRef`; `addresses`: podIP and hostIP. Raises ConfigError for a field there is not."""
    found = _SUBSCRIPT.fullmatch(path)
    if found:
        return str((pod.metadata.get(found[1]) or {}).get(found[2], ""))
    values = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": pod.spec.get("nodeName") or "",
        "spec.serviceAccountName": pod.spec.get("serviceAccountName") or "default",
        **{f"status.{name}{s}": value for name, value in addresses.items() for s in ("", "s")},
    }
    if path not in values:
        raise ConfigError(f"fieldRef {path} is not supported")
    return values[path]


def of_item(item: Object, pod: PodSpec) -> bytes:
    """Content of one file of a `downwardAPI` volume. Raises ConfigError."""
    if "resourceFieldRef" in item:
        reference = item["resourceFieldRef"]
        named = {container.name: container for container in pod.every_container}
        if reference.get("containerName") not in named:
            raise ConfigError(
                f"resourceFieldRef of container {reference.get('containerName')}, which is not there"
            )
        return resource(reference, named[reference["containerName"]]).encode()
    path = item["fieldRef"]["fieldPath"]
    if path in {"metadata.labels", "metadata.annotations"}:
        listed = pod.metadata.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f"{key}={json.dumps(listed[key])}" for key in sorted(listed)).encode()
    return field(path, pod, {}).encode()


def resource(reference: Object, container: Container) -> str:
    """Value of a `resourceFieldRef`, rounded up; a limit that is not set is the node's. Raises ConfigError."""
    kind, _, name = str(reference["resource"]).partition(".")
    known = {"limits": container.limits, "requests": container.requests}
    if kind not in known or name not in {"cpu", "memory"}:
        raise ConfigError(f"resourceFieldRef {reference['resource']} is not supported")
    given = known[kind].get(name)
    amount = _of_node(name) if given is None and kind == "limits" else quantity(given or "0")
    divisor = quantity(str(reference.get("divisor") or "1")) or 1.0
    return str(math.ceil(round(amount / divisor, 6)))


def _of_node(name: str) -> float:
    if name == "cpu":
        return float(os.cpu_count() or 1)
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
