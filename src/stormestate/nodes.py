"""YAML nodes made from plain values, each standing at the line of what it follows from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"


def made(value: Any, at: yaml.Node) -> yaml.Node:
    """`value` as a node that stands where `at` stands; nodes inside it stay as and where they are."""
    start, end = at.start_mark, at.end_mark
    if isinstance(value, yaml.Node):
        return value
    if isinstance(value, Mapping):
        pairs = [(_key(key, child, at), made(child, at)) for key, child in value.items()]
        return yaml.MappingNode(f"{_TAG}map", pairs, start, end, flow_style=_is_flat(value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        flat = _is_flat(value)
        return yaml.SequenceNode(
            f"{_TAG}seq", [made(child, at) for child in value], start, end, flow_style=flat
        )
    if isinstance(value, int):
        return yaml.ScalarNode(f"{_TAG}int", str(value), start, end)
    return yaml.ScalarNode(f"{_TAG}str", str(value), start, end)


def _key(key: str, child: Any, at: yaml.Node) -> yaml.Node:
    return made(key, child if isinstance(child, yaml.Node) else at)


def _is_flat(values: Any) -> bool:
    """Whether it fits on a line when it is written out."""
    return all(isinstance(value, str | int | yaml.ScalarNode) for value in values)


def lines(node: yaml.Node) -> range:
    """The lines on which a node stands, from 1."""
    # A node in block style ends where the next one begins.
    block = isinstance(node, yaml.CollectionNode) and node.flow_style is False
    return range(node.start_mark.line + 1, node.end_mark.line + (1 if block else 2))
