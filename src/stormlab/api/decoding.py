"""Request bodies: bytes and a content type to a tree of a known kind (topics 02, 07, 08).

JSON and YAML are read; protobuf is not built. Unknown and duplicate fields are warnings, or errors
under fieldValidation=Strict.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from stormlab.api.jsontree import Tree
from stormlab.api.schema import DecodeError, decode
from stormlab.api.status import ApiError, bad_request, internal, invalid, unsupported

PROTOBUF_MAGIC = b"k8s\x00"
MAX_BODY_BYTES = 3 * 1024 * 1024
_JSON = ("application/json", "")
_YAML = ("application/yaml", "application/x-yaml")
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")


class _Yaml11(yaml.SafeLoader):
    """YAML as Kubernetes reads it: an unquoted y or n is a boolean, too."""


_Yaml11.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:y|Y|n|N)$"), list("yYnN"))
_Yaml11.bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}


@dataclass(slots=True)
class Decoded:
    """A decoded body and what the client should be warned of."""

    tree: Tree
    warnings: list[str] = field(default_factory=list)


def check_options(options: str, field_validation: str, dry_run: list[str]) -> None:
    """Refuse unknown values of two query parameters; `options` names the options kind."""
    if field_validation not in _VALIDATIONS:
        cause = unsupported("fieldValidation", field_validation, _VALIDATIONS)
        raise invalid("meta.k8s.io", options, "", [cause])
    if any(value != "All" for value in dry_run):
        shown = ", ".join(f'"{value}"' for value in dry_run)
        cause = unsupported("dryRun", "", ("All",))
        message = cause.message.replace('""', f"[]string{{{shown}}}", 1)
        raise invalid("meta.k8s.io", options, "", [type(cause)(cause.reason, cause.field, message)])


def parse_json(body: bytes) -> tuple[Any, list[str]]:
    """Return a JSON value and the paths of duplicate keys; ValueError with Go's words for bad JSON."""
    duplicates: list[tuple[int, str]] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in pairs:
            if key in made:
                duplicates.append((id(made), key))
            made[key] = value
        return made

    try:
        value = json.loads(body, object_pairs_hook=collect)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(go_error(body, error)) from None
    if not duplicates:
        return value, []
    places = _places(value, "")
    return value, [f"{places.get(owner, '')}{key}" for owner, key in duplicates]


def _places(value: Any, path: str) -> dict[int, str]:
    found: dict[int, str] = {}
    if isinstance(value, dict):
        found[id(value)] = path
        for key, item in value.items():
            found |= _places(item, f"{path}{key}.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found |= _places(item, f"{path.removesuffix('.')}[{index}].")
    return found


def go_error(body: bytes, error: Exception) -> str:
    """Describe bad JSON with the words of Go's decoder, which clients and people search for."""
    if isinstance(error, UnicodeDecodeError):
        return "invalid character in string literal"
    position = error.pos if isinstance(error, json.JSONDecodeError) else 0
    text = body.decode(errors="replace")
    if position >= len(text.rstrip()) or not text.strip():
        return "unexpected end of JSON input"
    before = text[:position].rstrip()[-1:]
    where = (
        "looking for beginning of object key string"
        if before in {"{", ","}
        else "looking for beginning of value"
    )
    return f"invalid character '{text[position]}' {where}"


def _read(body: bytes, content_type: str) -> tuple[Any, list[str]]:
    media = content_type.partition(";")[0].strip().lower()
    if media in _JSON:
        return parse_json(body)
    if media in _YAML:
        try:
            return json.loads(json.dumps(yaml.load(body, _Yaml11), default=str)), []  # noqa: S506 -- a SafeLoader
        except (yaml.YAMLError, ValueError) as error:
            raise ValueError(f"yaml: {error}") from None
    raise unsupported_media_type()


def unsupported_media_type() -> ApiError:
    """Return 415, naming what is read; protobuf is not."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json, application/yaml"
    )
    return ApiError(415, "UnsupportedMediaType", message)


def decode_body(kind: str, api_version: str, body: bytes, content_type: str, validation: str) -> Decoded:
    """Decode a POST or PUT body as `kind`; ApiError 400 or 415."""
    value, duplicates = read_object(kind, body, content_type)
    return decode_tree(kind, api_version, value, validation, duplicates)


def read_object(kind: str, body: bytes, content_type: str) -> tuple[Tree, list[str]]:
    """Return a body that is an object, and the paths of its duplicate keys; ApiError 400 or 415."""
    shown = (
        f"the object provided is unrecognized (must be of type {kind}): "
        "couldn't get version/kind; json parse error"
    )
    try:
        value, duplicates = _read(body, content_type)
    except ValueError as error:
        text = body.decode(errors="replace") or "<empty>"
        raise bad_request(f"{shown}: {error} ({text})") from None
    if not isinstance(value, dict):
        found = {list: "array", str: "string", bool: "bool"}.get(type(value), "number")
        tags = (
            'APIVersion string "json:\\"apiVersion,omitempty\\""',
            'Kind string "json:\\"kind,omitempty\\""',
        )
        wanted = f"struct {{ {'; '.join(tags)} }}"
        why = f"json: cannot unmarshal {found} into Go value of type {wanted} ({body.hex()})"
        raise bad_request(f"{shown}: {why}")
    return value, duplicates


def decode_tree(
    kind: str, api_version: str, value: Tree, validation: str, duplicates: list[str] | None = None
) -> Decoded:
    """Decode a parsed body as `kind`; ApiError 400 for wrong types, wrong kind, or Strict violations."""
    found_kind, found_version = value.get("kind") or kind, value.get("apiVersion") or api_version
    prefix = (
        f'{found_kind} in version "{str(found_version).rpartition("/")[2]}" cannot be handled as a {kind}'
    )
    if found_version != api_version:
        why = f'no kind "{found_kind}" is registered for version "{found_version}" in scheme "stormlab"'
        raise bad_request(f"{prefix}: {why}")
    if found_kind != kind:
        raise bad_request(
            f"{prefix}: converting ({api_version}.{found_kind}) to ({api_version}.{kind}): unknown conversion"
        )
    try:
        tree, unknown = decode(kind, value)
    except DecodeError as error:
        raise bad_request(f"{prefix}: {error}") from None
    warnings = strict_problems(unknown, duplicates or [])
    if validation == "Strict" and warnings:
        raise bad_request(f"{prefix}: strict decoding error: {', '.join(warnings)}")
    tree.pop("kind", None)
    tree.pop("apiVersion", None)
    tree.setdefault("metadata", {})
    return Decoded(tree, [] if validation == "Ignore" else warnings)


def strict_problems(unknown: list[str], duplicates: list[str]) -> list[str]:
    """Return unknown and duplicate fields as the server words them."""
    return [f'duplicate field "{path}"' for path in duplicates] + [
        f'unknown field "{path}"' for path in unknown
    ]


def decode_options(body: bytes) -> Tree:
    """Decode DeleteOptions, which may be absent and need no kind; ApiError 400 or 500."""
    if not body.strip():
        return {}
    try:
        value, _ = parse_json(body)
    except ValueError as error:
        raise internal(f"couldn't get version/kind; json parse error: {error}") from None
    if not isinstance(value, dict):
        raise internal(
            "couldn't get version/kind; json parse error: json: cannot unmarshal value into Go struct"
        )
    try:
        options, _ = decode("DeleteOptions", value)
    except DecodeError as error:
        raise bad_request(f"DeleteOptions cannot be handled: {error}") from None
    return options
