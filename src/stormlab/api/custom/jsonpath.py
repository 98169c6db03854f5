"""The JSON paths of printer columns: members, indices, and `[?(@.type=="Ready")]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

Step = Callable[[Any], Iterator[Any]]
_STEP = re.compile(
    r"\.(?P<member>(?:\\.|[^.\[\]\\*?])+)"
    r"|\['(?P<quoted>[^']+)'\]"
    r"|\[(?P<index>\d+)\]"
    r"|\[\?\(@\.(?P<key>[\w-]+)\s*==\s*(?P<quote>['\"])(?P<value>[^'\"]*)(?P=quote)\)\]"
)


def _step(match: re.Match[str]) -> Step:
    if match["index"] is not None:
        index = int(match["index"])
        return lambda value: iter(value[index : index + 1] if isinstance(value, list) else ())
    if match["key"] is not None:
        key, wanted = match["key"], match["value"]
        return lambda value: (
            item
            for item in (value if isinstance(value, list) else ())
            if isinstance(item, dict) and item.get(key) == wanted
        )
    name = match["quoted"] or re.sub(r"\\(.)", r"\1", match["member"])
    return lambda value: iter([value[name]] if isinstance(value, dict) and name in value else ())


@cache
def parse(path: str) -> tuple[Step, ...] | None:
    """Return a path as steps, or None where it says what is not built."""
    steps, end = [], 0
    while end < len(path):
        match = _STEP.match(path, end)
        if match is None:
            return None
        steps.append(_step(match))
        end = match.end()
    return tuple(steps) or None


def first(path: str, tree: Any) -> Any:
    """Return the first value at a path, or None."""
    found = [tree]
    for step in parse(path) or ():
        found = [inner for value in found for inner in step(value)]
    return found[0] if found else None
