"""Frozen dataclasses to JSON values and back, driven by their annotations, strict in both directions.

Covered: str, int, float, bool, None, Path, StrEnum, literals, tuples of one type, mappings with text keys,
optionals, nested dataclasses, and unions of dataclasses told apart by a field `kind` with a default. A field
whose metadata says `{"plain": False}` is left out (places in files, which matter only while parsing). One whose
metadata is `WHEN_SET` is left out while it has its default, and may be missing when read: what few have does not
change how everybody else's values are written.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
WHEN_SET = {"plain": "when set"}


def to_plain(value: Any, path_text: Callable[[Path], str] = str) -> Any:
    """`value` as what `json.dumps` takes. `path_text` writes paths (a digest wants only their names)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: to_plain(getattr(value, f.name), path_text)
            for f in _stored(type(value))
            if not (_may_lack(f) and getattr(value, f.name) == _default(f))
        }
    if isinstance(value, Path):
        return path_text(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_plain(item, path_text) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item, path_text) for item in value]
    return value


def from_plain(wanted: type[T], raw: Any) -> T:
    """A `wanted` from what `to_plain` made. ValueError naming the place when it does not fit."""
    return typing.cast("T", _decode(wanted, raw, wanted.__name__))


def _decode(wanted: Any, raw: Any, where: str) -> Any:
    origin = typing.get_origin(wanted)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(typing.get_args(wanted), raw, where)
    if origin is not None:
        return _decode_generic(origin, typing.get_args(wanted), raw, where)
    if dataclasses.is_dataclass(wanted):
        return _decode_dataclass(wanted, raw, where)
    if wanted is not Any and issubclass(wanted, Path | StrEnum):
        return wanted(_expect(raw, str, where))
    if wanted is float and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    return raw if wanted is Any else _expect(raw, wanted, where)


def _decode_generic(origin: Any, items: tuple[Any, ...], raw: Any, where: str) -> Any:
    if origin is typing.Literal:
        return _one_of(items, raw, where)
    if origin is tuple:
        return tuple(
            _decode(items[0], one, f"{where}[{i}]") for i, one in enumerate(_expect(raw, list, where))
        )
    return {key: _decode(items[1], one, f"{where}.{key}") for key, one in _expect(raw, dict, where).items()}


def _decode_union(options: tuple[Any, ...], raw: Any, where: str) -> Any:
    if raw is None and type(None) in options:
        return None
    rest = [option for option in options if option is not type(None)]
    if len(rest) == 1:
        return _decode(rest[0], raw, where)
    for option in rest:
        if dataclasses.is_dataclass(option) and isinstance(raw, dict):
            kind = next((f.default for f in dataclasses.fields(option) if f.name == "kind"), None)
            if kind == raw.get("kind"):
                return _decode(option, raw, where)
        elif not dataclasses.is_dataclass(option) and isinstance(raw, option):
            return raw
    raise ValueError(f"{where}: fits none of its kinds")


def _one_of(known: tuple[Any, ...], raw: Any, where: str) -> Any:
    if raw not in known:
        raise ValueError(f"{where}: expected {' or '.join(map(repr, known))}")
    return raw


def _decode_dataclass(wanted: Any, raw: Any, where: str) -> Any:
    given = _expect(raw, dict, where)
    hints = _hints(wanted)
    names = {f.name for f in _stored(wanted)}
    lacking = {f.name for f in _stored(wanted) if _may_lack(f)} - set(given)
    if names - lacking != set(given):
        raise ValueError(f"{where}: keys differ: {', '.join(sorted((names - lacking) ^ set(given)))}")
    return wanted(**{name: _decode(hints[name], given[name], f"{where}.{name}") for name in names - lacking})


def _expect(raw: Any, kind: type, where: str) -> Any:
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        raise ValueError(f"{where}: expected {kind.__name__}, found {type(raw).__name__}")
    return raw


@functools.cache
def _hints(wanted: Any) -> dict[str, Any]:
    return typing.get_type_hints(wanted)


def _stored(wanted: Any) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(wanted) if f.metadata.get("plain", True)]


def _may_lack(field: dataclasses.Field[Any]) -> bool:
    return field.metadata.get("plain") == WHEN_SET["plain"]


def _default(field: dataclasses.Field[Any]) -> Any:
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()
