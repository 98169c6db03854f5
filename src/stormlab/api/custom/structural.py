"""Check a definition's schema: it must be structural, and made of what this server enforces.

What Kubernetes has and the lab does not build is refused with 501: a rule that is accepted and never
checked would only be found out on a real cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stormlab.api.custom.shape import PRESERVE, Schema
from stormlab.api.custom.validation import INT_OR_STRING, validate
from stormlab.api.status import (
    Cause,
    forbidden_field,
    invalid_value,
    not_implemented,
    required,
    unsupported,
)

TYPES = ("array", "boolean", "integer", "number", "object", "string")
_WORDS = frozenset({"title", "description", "example", "externalDocs", "default", "nullable", "enum", "type"})
_RULES = frozenset(
    {"properties", "additionalProperties", "required", "items", "minimum", "maximum", "exclusiveMinimum",
     "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format", "minItems", "maxItems",
     "minProperties", "maxProperties", PRESERVE, INT_OR_STRING}
)  # fmt: skip
# How server-side apply would merge; the lab has none, and these values promise no check.
_MERGING = {"x-kubernetes-list-type": ("atomic",), "x-kubernetes-map-type": ("atomic", "granular")}
# The number formats name a Go type; JSON numbers of the lab have no narrower one.
_FORMATS = ("", "date-time", "int32", "int64", "float", "double")


def check_schema(schema: Schema, path: str) -> list[Cause]:
    """Return what keeps a root schema from being structural; ApiError 501 for what is not built."""
    causes = list(_level(schema, path))
    if schema.get("type") not in {"object", None}:
        causes.append(invalid_value(f"{path}.type", schema["type"], "must be object at the root"))
    metadata = schema.get("properties", {}).get("metadata", {})
    if metadata.keys() - {"type", "description"}:
        raise not_implemented(f"{path}.properties[metadata]: rules for metadata are not built")
    return causes


def _refuse_unbuilt(schema: Schema, path: str) -> None:
    for word, value in schema.items():
        if word not in _WORDS | _RULES and value not in _MERGING.get(word, ()):
            raise not_implemented(f"{path}.{word}: not built by the lab's API, and never checked by it")
    if schema.get("format", "") not in _FORMATS:
        raise not_implemented(f"{path}.format: {schema['format']} is not built by the lab's API")


def _level(schema: Schema, path: str) -> Iterator[Cause]:
    _refuse_unbuilt(schema, path)
    kind = schema.get("type")
    if kind is None and not (schema.get(PRESERVE) or schema.get(INT_OR_STRING)):
        yield required(f"{path}.type", "must not be empty for specified object fields")
    elif kind is not None and kind not in TYPES:
        yield unsupported(f"{path}.type", kind, TYPES)
    if kind == "array" and "items" not in schema:
        yield required(f"{path}.items", "must be specified")
    if "pattern" in schema:
        yield from _pattern(schema["pattern"], f"{path}.pattern")
    if "default" in schema:
        yield from validate(schema, schema["default"], f"{path}.default")
    yield from _inside(schema, path)


def _pattern(text: str, path: str) -> Iterator[Cause]:
    try:
        re.compile(text)
    except re.error as error:
        yield invalid_value(path, text, f"must be a valid regular expression, but isn't: {error}")


def _inside(schema: Schema, path: str) -> Iterator[Cause]:
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties")
    if properties and rest is not None:
        why = "additionalProperties and properties are mutual exclusive"
        yield forbidden_field(f"{path}.additionalProperties", why)
    inner: list[tuple[Any, str]] = [(item, f"{path}.properties[{key}]") for key, item in properties.items()]
    if isinstance(rest, Mapping):
        inner.append((rest, f"{path}.additionalProperties"))
    if "items" in schema:
        inner.append((schema["items"], f"{path}.items"))
    for item, where in inner:
        yield from _level(item, where)
