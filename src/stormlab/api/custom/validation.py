"""Check an object against its kind's structural schema; causes in the words of a real server (topic 16).

A real server walks objects in the random order of a Go map; here it is the order of the names, what is
required and missing last. A cause's `field` is the whole path; its text names the path from where the
check began, which for `/status` is inside the status.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stormlab.api.custom.shape import Schema, member
from stormlab.api.status import Cause, invalid_value, required, unsupported

INT_OR_STRING = "x-kubernetes-int-or-string"
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def type_of(value: Any) -> str:
    """Return JSON's name for a value's type; whole numbers are integers however written."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    names = {float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _fits(schema: Schema, found: str) -> bool:
    if schema.get(INT_OR_STRING):
        return found in {"integer", "string"}
    wanted = schema.get("type")
    return not wanted or found == wanted or (wanted == "number" and found == "integer")


class _Place:
    """Where a value stands: its path from the root, and from where the check began."""

    def __init__(self, path: str, shown: str) -> None:
        self.path = path
        self.shown = shown

    def member(self, key: str) -> _Place:
        return _Place(*(f"{before}.{key}" if before else key for before in (self.path, self.shown)))

    def item(self, index: int) -> _Place:
        return _Place(f"{self.path}[{index}]", f"{self.shown}[{index}]")

    def wrong(self, value: Any, why: str) -> Cause:
        return invalid_value(self.path, value, f"{self.shown} in body {why}")

    def not_of_type(self, wanted: str, found: str) -> Cause:
        why = f'{self.shown} in body must be of type {wanted}: "{found}"'
        return Cause("FieldValueTypeInvalid", self.path, f'Invalid value: "{found}": {why}')


def validate(schema: Schema, value: Any, path: str = "", shown: str = "") -> list[Cause]:
    """Return what is wrong with a value, nothing if it fits."""
    return list(_value(schema, value, _Place(path, shown)))


def _value(schema: Schema, value: Any, place: _Place) -> Iterator[Cause]:
    if value is None and schema.get("nullable"):
        return
    found = type_of(value)
    if schema and not _fits(schema, found):
        yield place.not_of_type(str(schema.get("type", "integer,string")), found)
    if "enum" in schema and value not in schema["enum"]:
        yield unsupported(place.path, value, [str(item) for item in schema["enum"]])
    if isinstance(value, str):
        yield from _text(schema, value, place)
    elif isinstance(value, list):
        yield from _list(schema, value, place)
    elif isinstance(value, Mapping):
        yield from _object(schema, value, place)
    elif found in {"integer", "number"}:
        yield from _number(schema, value, place)


def _text(schema: Schema, value: str, place: _Place) -> Iterator[Cause]:
    if len(value) > schema.get("maxLength", len(value)):
        why = f"Too long: may not be longer than {schema['maxLength']}"
        yield Cause("FieldValueTooLong", place.path, why)
    if len(value) < schema.get("minLength", 0):
        yield place.wrong(value, f"should be at least {schema['minLength']} chars long")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield place.wrong(value, f"should match '{schema['pattern']}'")
    if schema.get("format") == "date-time" and not DATE_TIME.fullmatch(value):
        yield place.not_of_type("date-time", value)


def _number(schema: Schema, value: float, place: _Place) -> Iterator[Cause]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value < low or (value == low and schema.get("exclusiveMinimum"))):
        than = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield place.wrong(value, f"should be {than} {low}")
    if high is not None and (value > high or (value == high and schema.get("exclusiveMaximum"))):
        than = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield place.wrong(value, f"should be {than} {high}")
    factor = schema.get("multipleOf")
    if factor and not float(value / factor).is_integer():
        yield place.wrong(value, f"should be a multiple of {factor}")


def _size(schema: Schema, size: int, place: _Place, what: str) -> Iterator[Cause]:
    name = what.capitalize()
    if size > schema.get(f"max{name}", size):
        limit = f"Too many: {size}: must have at most {schema[f'max{name}']} items"
        yield Cause("FieldValueTooMany", place.path, limit)
    if size < schema.get(f"min{name}", 0):
        yield place.wrong(size, f"should have at least {schema[f'min{name}']} {what}")


def _list(schema: Schema, value: list[Any], place: _Place) -> Iterator[Cause]:
    yield from _size(schema, len(value), place, "items")
    for index, item in enumerate(value):
        yield from _value(schema.get("items", {}), item, place.item(index))


def _object(schema: Schema, value: Mapping[str, Any], place: _Place) -> Iterator[Cause]:
    yield from _size(schema, len(value), place, "properties")
    for key in sorted(value):
        yield from _value(member(schema, key) or {}, value[key], place.member(key))
    for key in schema.get("required", ()):
        if key not in value:
            yield required(place.member(key).path)
