"""YAML nodes made from plain values, each standing at the line of what it follows from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Taken:
    """An entry of a mapping that is taken over as it is: its key too stands where it stood."""

    key: yaml.Node
    value: yaml.Node


def made(value: Any, at: yaml.Node) -> yaml.Node:
    """`value` as a node that stands where `at` stands; nodes inside it stay as and where they are."""
    start, end = at.start_mark, at.end_mark
    if isinstance(value, yaml.Node):
        return value
    if isinstance(value, Mapping):
        pairs = [_entry(key, child, at) for key, child in value.items()]
        return yaml.MappingNode(f"{_TAG}map", pairs, start, end, flow_style=_is_flat(value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        flat = _is_flat(value)
        return yaml.SequenceNode(
            f"{_TAG}seq", [made(child, at) for child in value], start, end, flow_style=flat
        )
    if isinstance(value, bool):
        return yaml.ScalarNode(f"{_TAG}bool", str(value).lower(), start, end)
    if isinstance(value, int):
        return yaml.ScalarNode(f"{_TAG}int", str(value), start, end)
    return yaml.ScalarNode(f"{_TAG}str", str(value), start, end)


def _entry(key: str, child: Any, at: yaml.Node) -> tuple[yaml.Node, yaml.Node]:
    if isinstance(child, Taken):
        return child.key, child.value
    return made(key, child if isinstance(child, yaml.Node) else at), made(child, at)


def _is_flat(values: Any) -> bool:
    """Whether it fits on a line when it is written out."""
    plain = (value.value if isinstance(value, Taken) else value for value in values)
    return all(isinstance(value, str | int | yaml.ScalarNode) for value in plain)


def lines(node: yaml.Node) -> range:
    """The lines on which a node stands, from 1."""
    # A node in block style ends where the next one begins.
    block = isinstance(node, yaml.CollectionNode) and node.flow_style is False
    return range(node.start_mark.line + 1, node.end_mark.line + (1 if block else 2))
