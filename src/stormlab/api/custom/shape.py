"""Bring an object into its kind's shape: drop nulls and unknown fields, fill in defaults.

Kubernetes documentation: "Extend the Kubernetes API with CustomResourceDefinitions", field pruning,
defaulting and nullable. Schemas here are structural: `custom.structural` let no other in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stormlab.api.custom.kind import CustomKind
from stormlab.api.jsontree import Tree, copy
from stormlab.api.schema import DecodeError, decode

Schema = Mapping[str, Any]
PRESERVE = "x-kubernetes-preserve-unknown-fields"
_HEAD = ("apiVersion", "kind", "metadata")


def member(schema: Schema, key: str) -> Schema | None:
    """Return the schema of an object's member: `{}` where anything goes, None where it is unknown."""
    found: Schema | None = schema.get("properties", {}).get(key)
    if found is not None:
        return found
    rest = schema.get("additionalProperties")
    if isinstance(rest, Mapping):
        return rest
    return {} if rest or schema.get(PRESERVE) else None


def _pruned(schema: Schema, value: Any, path: str, unknown: list[str]) -> Any:
    if isinstance(value, list) and "items" in schema:
        return [
            _pruned(schema["items"], item, f"{path}[{index}]", unknown) for index, item in enumerate(value)
        ]
    if not isinstance(value, dict) or not schema:
        return value
    kept: Tree = {}
    for key, item in value.items():
        where = f"{path}.{key}" if path else key
        inner = member(schema, key)
        if inner is None:
            unknown.append(where)
        elif item is not None or not inner or inner.get("nullable"):
            kept[key] = _pruned(inner, item, where, unknown)
    return kept


def _fill(schema: Schema, value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _fill(schema.get("items", {}), item)
    if not isinstance(value, dict):
        return
    for key, inner in schema.get("properties", {}).items():
        if key not in value and "default" in inner:
            value[key] = copy(inner["default"])
    for key, item in value.items():
        _fill(member(schema, key) or {}, item)


def shaped(kind: CustomKind, value: Tree) -> tuple[Tree, list[str]]:
    """Return a whole object without nulls and unknown fields, and the paths of the latter.

    Raises DecodeError where metadata is not metadata.
    """
    head: Tree = {key: value[key] for key in _HEAD if key in value and key != "metadata"}
    given = value.get("metadata") or {}
    if not isinstance(given, dict):
        raise DecodeError("json: cannot unmarshal metadata into Go struct of type v1.ObjectMeta")
    metadata, unknown = decode("ObjectMeta", given, "metadata")
    rest = _pruned(kind.schema, {key: item for key, item in value.items() if key not in _HEAD}, "", unknown)
    return {**head, "metadata": metadata, **rest}, unknown


def fill_defaults(kind: CustomKind, tree: Tree) -> None:
    """Fill in what the schema gives as default, in place; metadata has none."""
    properties = {key: item for key, item in kind.schema.get("properties", {}).items() if key not in _HEAD}
    _fill({"properties": properties}, tree)
