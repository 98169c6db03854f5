"""The Table columns of a custom kind: its printer columns after the name (topic 16)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from stormlab.api.custom.jsonpath import first
from stormlab.api.custom.kind import CustomKind
from stormlab.api.jsontree import Tree, encode
from stormlab.api.web.ages import since
from stormlab.api.web.columns import NAME, Cell, Column

_INVALID = "<invalid>"


def _shown(kind: str, value: Any, now: dt.datetime) -> Any:
    """Return a value as its column's type shows it; nothing where it does not fit."""
    if value is None:
        return None
    if kind == "string":
        return value if isinstance(value, str) else encode(value).decode()
    if kind == "date":
        try:
            return since(value, now)
        except (TypeError, ValueError):
            return _INVALID
    if (kind == "boolean") != isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if kind == "integer" else value


def _cell(kind: str, path: str) -> Cell:
    return lambda tree, now: _shown(kind, first(path, tree), now)


def _column(given: Tree) -> Column:
    path = given["jsonPath"]
    told = f"Custom resource definition column (in JSONPath format): {path}"
    return Column(
        given["name"],
        _cell(given["type"], path),
        given["type"],
        given.get("priority", 0),
        given.get("format", ""),
        given.get("description", told),
    )


def columns_of(kind: CustomKind) -> tuple[Column, ...]:
    """Return a custom kind's columns."""
    return (NAME, *map(_column, kind.columns))
