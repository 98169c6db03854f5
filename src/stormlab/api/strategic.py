"""Strategic merge patch: lists of structs merge by key, guided by the schema.

Rules seen in topic 06: an item new to the target comes first, `$patch: delete` removes one item or a
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
        and kind.inner is not None
        and kind.merge_key is not None
    ):
        server, key = target if isinstance(target, list) else [], kind.merge_key
        if key == "":
            merged = {item: item for item in [*server, *change]}
            return _ordered(merged, list(server), list(change if order is None else order))
        return _list(kind.inner, key, server, change, order)
    return copy(change)


def _list(inner: Type, key: str, server: list[Any], change: list[Any], order: list[Any] | None) -> list[Any]:
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in change):
        return [copy(item) for item in change if item.get("$patch") != "replace"]
    fields = types().get(inner.name, {})
    merged = {item.get(key): item for item in server}
    named: list[Any] = []
    for item in change:
        if not isinstance(item, dict) or key not in item:
            raise StrategicError(f"map: {_go(item)} does not contain declared merge key: {key}")
        if item.get("$patch") == "delete":
            merged.pop(item[key], None)
        else:
            merged[item[key]] = _struct(fields, merged.get(item[key], {}), item)
            named.append(item[key])
    if order is not None:
        named = [entry.get(key) for entry in order if isinstance(entry, dict)]
    return _ordered(merged, [item.get(key) for item in server], named)


def _ordered(merged: dict[Any, Any], server: list[Any], named: list[Any]) -> list[Any]:
    """Weave items the patch names, in its order, into the others, in the server's order.

    An item only the patch has comes before whatever the server has next, so alone it comes first.
    """
    place = {value: index for index, value in enumerate(server)}
    left = [value for value in server if value in merged and value not in named]
    right = [value for value in dict.fromkeys(named) if value in merged]
    woven: list[Any] = []
    while left and right:
        known = right[0] in place and place[left[0]] < place[right[0]]
        woven.append((left if known else right).pop(0))
    return [merged[value] for value in [*woven, *left, *right]]
