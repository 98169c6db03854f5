"""YAML as text, for files that people may look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

ZONE = "topology.kubernetes.io/zone"
_WIDE = 10_000
"""No line is folded: what is long is one value."""


def document(title: str, *parts: Any) -> str:
    """A file of YAML documents under a comment."""
    comment = "".join(f"# {line}\n" for line in title.splitlines())
    return comment + yaml.safe_dump_all(parts, sort_keys=False, width=_WIDE, explicit_start=len(parts) > 1)


def kustomization(title: str, **sections: Any) -> str:
    """A `kustomization.yaml`. Names of ConfigMaps stay as they are: what refers to them is not always in sight."""
    if "configMapGenerator" in sections:
        sections["generatorOptions"] = {"disableNameSuffixHash": True}
    return document(title, sections)


def config_map(name: str, behavior: str | None = None, **content: Any) -> dict[str, Any]:
    """An entry of `configMapGenerator`."""
    return {"name": name} | ({"behavior": behavior} if behavior else {}) | content


def workload(kind: str, name: str, pod: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    """A patch of a workload and of its pods' spec."""
    body = {**spec, "template": {"spec": dict(pod)}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": body}


def env(values: Mapping[str, str]) -> list[dict[str, str]]:
    """A container's environment."""
    return [{"name": name, "value": value} for name, value in values.items()]
