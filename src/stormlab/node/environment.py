"""A container's environment and command line: values, references to other objects, `$(NAME)`."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from stormlab.client import ApiError
from stormlab.node.downward import ConfigError, field, resource
from stormlab.node.podspec import Container, Object, PodSpec

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Objects(Protocol):
    """Where ConfigMaps and Secrets come from."""

    async def get(self, path: str) -> dict[str, Any]:
        """Read one object; raises ApiError."""


async def data_of(
    objects: Objects, kind: str, namespace: str, name: str, *, optional: bool
) -> dict[str, bytes]:
    """Contents of a ConfigMap (`configmaps`) or Secret (`secrets`), empty when absent and optional."""
    try:
        found = await objects.get(f"/api/v1/namespaces/{namespace}/{kind}/{name}")
    except ApiError as error:
        if error.code == 404 and optional:
            return {}
        raise ConfigError(str(error)) from error
    plain = {key: value.encode() for key, value in (found.get("data") or {}).items()}
    if kind == "secrets":
        return {key: base64.b64decode(value) for key, value in plain.items()}
    encoded = found.get("binaryData") or {}
    return plain | {key: base64.b64decode(value) for key, value in encoded.items()}


async def environment(
    container: Container,
    pod: PodSpec,
    addresses: Mapping[str, str],
    image_path: Sequence[str],
    objects: Objects,
    *,
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """All variables of a container. `addresses`: podIP and hostIP; `given`: what each has. Raises ConfigError."""
    values = {
        **(given or {}),
        "PATH": ":".join([*image_path, str(Path(sys.prefix, "bin")), _SYSTEM_PATH]),
        "HOME": "/home/app" if container.user else "/root",
        "HOSTNAME": pod.hostname,
    }
    for source in container.env_from:
        for kind, key in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
            if key in source:
                ref = source[key]
                optional = bool(ref.get("optional"))
                data = await data_of(objects, kind, pod.namespace, ref["name"], optional=optional)
                prefix = source.get("prefix") or ""
                values |= {prefix + name: value.decode() for name, value in data.items()}
    for variable in container.env:
        value = await _value(variable, container, pod, addresses, objects)
        if value is not None:
            literal = "valueFrom" not in variable
            values[variable["name"]] = expand(value, values) if literal else value
    return values


def api_variables(address: str, port: int) -> dict[str, str]:
    """Where programs that run in a cluster look for its API: straight at it, as the nodes do."""
    return {
        "KUBERNETES_SERVICE_HOST": address,
        "KUBERNETES_SERVICE_PORT": str(port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(port),
    }


async def _value(
    variable: Object, container: Container, pod: PodSpec, addresses: Mapping[str, str], objects: Objects
) -> str | None:
    source = variable.get("valueFrom")
    if source is None:
        return str(variable.get("value") or "")
    if "fieldRef" in source:
        return field(source["fieldRef"]["fieldPath"], pod, addresses)
    if "resourceFieldRef" in source:
        return resource(source["resourceFieldRef"], container)
    kind, ref = (
        ("configmaps", source["configMapKeyRef"])
        if "configMapKeyRef" in source
        else ("secrets", source["secretKeyRef"])
    )
    optional = bool(ref.get("optional"))
    data = await data_of(objects, kind, pod.namespace, ref["name"], optional=optional)
    if ref["key"] in data:
        return data[ref["key"]].decode()
    if optional:
        return None
    raise ConfigError(
        f"couldn't find key {ref['key']} in {kind.removesuffix('s')} {pod.namespace}/{ref['name']}"
    )


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value; `$$` is a dollar, an unknown name stays as written."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return values.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)
