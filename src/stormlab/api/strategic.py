"""Strategic merge patch: lists of structs merge by key, guided by the schema.

Rules seen in topic 06: items new to the target come first, `$patch: delete` removes one item or a
map, `$patch: replace` replaces, `$retainKeys` keeps only the named keys, a merge key that is missing
is an error, null deletes, and a list without a merge key is replaced whole.
"""

from __future__ import annotations

from typing import Any

from stormlab.api.jsontree import Tree, copy
from stormlab.api.schema import Type, types

_DIRECTIVES = ("$patch", "$retainKeys")
_ORDER = "$setElementOrder/"
_PRIMITIVE_DELETE = "$deleteFromPrimitiveList/"


class StrategicError(Exception):
    """The patch cannot be merged; the message is the server's."""


def _go(value: Any) -> str:
    """Show a value as Go's %v does, which is what the server's messages contain."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    return "<nil>" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


show = _go


def apply(struct: str, target: Tree, change: Tree) -> Tree:
    """Return `target`, a struct of the schema, with the patch merged in."""
    return _struct(types().get(struct, {}), target, change)


def _struct(fields: dict[str, Type], target: Tree, change: Tree) -> Tree:
    directive = change.get("$patch")
    if directive == "replace":
        replaced: Tree = copy({key: value for key, value in change.items() if key not in _DIRECTIVES})
        return replaced
    if directive == "delete":
        return {}
    result = dict(target)
    if isinstance(retained := change.get("$retainKeys"), list):
        result = {key: value for key, value in result.items() if key in retained}
    for key, value in change.items():
        if key in _DIRECTIVES or key.startswith(_ORDER):
            continue
        if key.startswith(_PRIMITIVE_DELETE):
            name = key.removeprefix(_PRIMITIVE_DELETE)
            result[name] = [item for item in result.get(name) or [] if item not in value]
        elif value is None:
            result.pop(key, None)
        else:
            order = change.get(_ORDER + key)
            result[key] = _value(fields.get(key), result.get(key), value, order)
    return result


def _value(kind: Type | None, target: Any, change: Any, order: list[Any] | None) -> Any:
    if isinstance(change, dict):
        base = target if isinstance(target, dict) else {}
        if kind is not None and kind.name == "{}":
            return _struct({}, base, change)
        return _struct(types().get(kind.name, {}) if kind else {}, base, change)
    if (
        isinstance(change, list)
        and kind is not None
        and kind.merge_key is not None
        and kind.inner is not None
    ):
        base_list = target if isinstance(target, list) else []
        if kind.merge_key == "":
            return [*base_list, *(item for item in change if item not in base_list)]
        merged = _list(kind.inner, kind.merge_key, base_list, change)
        return _ordered(merged, kind.merge_key, order)
    return copy(change)


def _list(inner: Type, key: str, target: list[Any], change: list[Any]) -> list[Any]:
    fields = types().get(inner.name, {})
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in change):
        return [copy(item) for item in change if item.get("$patch") != "replace"]
    merged, fresh = list(target), []
    for item in change:
        if not isinstance(item, dict) or key not in item:
            raise StrategicError(f"map: {_go(item)} does not contain declared merge key: {key}")
        where = next(
            (i for i, old in enumerate(merged) if isinstance(old, dict) and old.get(key) == item[key]), None
        )
        if item.get("$patch") == "delete":
            merged = [old for old in merged if old.get(key) != item[key]]
        elif where is None:
            fresh.append(_struct(fields, {}, item))
        else:
            merged[where] = _struct(fields, merged[where], item)
    return fresh + merged


def _ordered(items: list[Any], key: str, order: list[Any] | None) -> list[Any]:
    if not order:
        return items
    wanted = [entry.get(key) for entry in order if isinstance(entry, dict)]
    place = {value: index for index, value in enumerate(wanted)}
    # Items the patch's author did not know keep their place after those he ordered.
    return sorted(items, key=lambda item: place.get(item.get(key), len(place)))
