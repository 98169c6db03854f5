"""The shape of the served kinds: decode a body, dropping unknown fields and refusing wrong types.

`schema.json` is made by `scripts/kube_schema.py`. A built-in kind of Kubernetes drops what it does
not know and says so in a Warning header, or refuses under fieldValidation=Strict (topic 07); a value
of the wrong type is always refused (topic 08).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from stormlab.api.jsontree import Tree, copy

_NODE_INFO = (
    "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion",
    "kubeletVersion", "kubeProxyVersion", "operatingSystem", "architecture",
)  # fmt: skip
# Fields that Go writes even when they are empty; typed clients insist on them in what kubelets report.
_ALWAYS: dict[str, Tree] = {
    "ContainerStatus": {
        "state": {},
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "image": "",
        "imageID": "",
    },
    "NodeSystemInfo": dict.fromkeys(_NODE_INFO, ""),
}
_QUANTITY = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+|[numkKMGTPE]i?)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_MICROTIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
_NAMES = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


class DecodeError(Exception):
    """The body has a value of the wrong type; the message is the server's, without prefix.

    `wanted` is Go's name of the type that was wanted, where that is what went wrong.
    """

    def __init__(self, message: str, wanted: str = "") -> None:
        super().__init__(message)
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Type:
    """One parsed type expression: a list or map of `inner`, or a leaf or struct called `name`."""

    name: str
    inner: Type | None = None
    merge_key: str | None = None


@cache
def types() -> dict[str, dict[str, Type]]:
    """Return every struct's fields, read once."""
    raw: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "schema.json").read_text())
    return {name: {key: parse(text) for key, text in fields.items()} for name, fields in raw.items()}


@cache
def parse(text: str) -> Type:
    """Parse a type expression such as `[]Container@name`."""
    if text.startswith("[]"):
        inner, at, key = text[2:].partition("@")
        return Type("[]", parse(inner), key if at else None)
    if text.startswith("{}"):
        return Type("{}", parse(text[2:]))
    return Type(text)


@dataclass(slots=True)
class _Walk:
    unknown: list[str] = field(default_factory=list)

    def value(self, kind: Type, value: Any, path: str, owner: str) -> Any:
        if kind.inner is not None:
            return self._many(kind, kind.inner, value, path, owner)
        if kind.name in types():
            if not isinstance(value, dict):
                raise _wrong(value, owner, path, f"v1.{kind.name}")
            return self.struct(kind.name, value, path)
        return _leaf(kind.name, value, owner, path)

    def _many(self, kind: Type, inner: Type, value: Any, path: str, owner: str) -> Any:
        wanted = list if kind.name == "[]" else dict
        if not isinstance(value, wanted):
            shown = inner.name if inner.name not in types() else f"v1.{inner.name}"
            raise _wrong(value, owner, path, f"[]{shown}" if wanted is list else f"map[string]{shown}")
        if isinstance(value, list):
            return [self.value(inner, item, f"{path}[{index}]", owner) for index, item in enumerate(value)]
        # A null in a map of strings decodes to the empty string in Go.
        return {
            key: ""
            if item is None
            else self.value(inner, item, f"{path}.{key}" if inner.inner else path, owner)
            for key, item in value.items()
        }

    def struct(self, name: str, value: Tree, path: str) -> Tree:
        fields = types()[name]
        result: Tree = {}
        for key, item in value.items():
            where = f"{path}.{key}" if path else key
            kind = fields.get(key)
            if kind is None:
                self.unknown.append(where)
                continue
            if item is None:
                continue
            decoded = self.value(kind, item, where, name)
            # `omitempty`: an empty list or map of scalars is the same as none.
            if kind.inner is not None and not decoded:
                continue
            result[key] = decoded
        for key, empty in _ALWAYS.get(name, {}).items():
            result.setdefault(key, copy(empty))
        return result


def _wrong(value: Any, owner: str, path: str, wanted: str) -> DecodeError:
    found = _NAMES.get(type(value), "null")
    why = f"json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}"
    return DecodeError(why, wanted)


_GO = {"str": "string", "int": "int32", "bool": "bool", "float": "float64"}


_PLAIN: dict[str, tuple[type, ...]] = {"str": (str,), "bool": (bool,), "int": (int,), "float": (int, float)}


def _leaf(name: str, value: Any, owner: str, path: str) -> Any:
    if name == "any":
        return value
    if name == "quantity":
        return _quantity(value, owner, path)
    # bool is an int to Python, not to Kubernetes.
    if isinstance(value, _PLAIN.get(name, ())) and (name == "bool" or not isinstance(value, bool)):
        return value
    if isinstance(value, str) and name in {"time", "microtime"}:
        return _time(name, value)
    if isinstance(value, str) and name == "bytes":
        return _base64(value)
    raise _wrong(value, owner, path, _GO.get(name, name))


def _quantity(value: Any, owner: str, path: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong(value, owner, path, "resource.Quantity")
    if not _QUANTITY.fullmatch(str(value)):
        raise DecodeError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    return str(value)


def _time(name: str, value: str) -> str:
    pattern, layout = (
        (_TIME, "2006-01-02T15:04:05Z07:00")
        if name == "time"
        else (_MICROTIME, "2006-01-02T15:04:05.000000Z07:00")
    )
    if pattern.fullmatch(value):
        return value
    cut, rest = (value, "2006") if not value[:4].isdigit() else (value[19:], ".000000")
    raise DecodeError(f'parsing time "{value}" as "{layout}": cannot parse "{cut}" as "{rest}"')


def _base64(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError("illegal base64 data at input byte 0") from None
    return value


def decode(name: str, value: Tree, path: str = "") -> tuple[Tree, list[str]]:
    """Return `value` as the struct `name`, pruned, and the paths of unknown fields, depth first.

    `path` is where the value stands. Raises DecodeError for a value of the wrong type.
    """
    walk = _Walk()
    return walk.struct(name, value, path), walk.unknown
