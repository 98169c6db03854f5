"""The compact file to the node tree of a full topology, and to the overlays of its regions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from stormestate import (
    cells,
    clashes,
    harness_half,
    lab_half,
    nodes,
    notes,
    objectives,
    overlays,
    ports,
    regions,
)
from stormestate.nodes import made
from stormestate.place import Place, Problem
from stormestate.shape import Ports, Shape

SCHEMA = "stormdrill.estate/1"
FULL_SCHEMA = "stormdrill.topology/1"
_NEEDED = ("name", "regions", "cells", "lab", "operations", "audit", "continuity")
_NEEDED_OF_LAB = ("network", "ports", "prometheus")
_AS_IT_IS = (
    "name", "environment", "links", "operations", "metrics", "continuity", "profile", "idempotency", "lock",
    "canaries", "fence",
)  # fmt: skip
_OWN = ("schema", "regions", "cells", "lab", "prometheus", "audit", "services")
_BASE = "kubernetes/base"
Reader = Callable[[str], yaml.Node | None]
"""Gives the tree of a file that the estate names, None when there is none to be had."""


@dataclass(frozen=True)
class Expansion:
    """What a compact file stands for.

    With `problems` the tree is only good for finding more of them, on the lines in `taken_over`.
    """

    tree: yaml.Node
    problems: tuple[Problem, ...] = ()
    taken_over: frozenset[int] = frozenset()
    """Lines whose nodes are in the tree as they are: what its readers say of them stands in the compact file."""
    base: str = _BASE
    """Where the manifests that all regions share are, relative to the file."""
    overlays: Mapping[str, str] = field(default_factory=dict)
    """Kustomize files of every region, by path beside `base`; a region's directory is called like the region."""
    notes: tuple[str, ...] = ()
    """What this estate cannot do, one sentence each."""
    regions: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    """Files that the estate names, relative to itself."""

    def with_manifests(self, directory: str) -> yaml.Node:
        """The tree with `lab.manifests`, each region's below `directory`: for a reader that has only files."""
        places = {region: f"{directory}/{region}" for region in self.regions}
        pairs = [
            (key, made(dict(_pairs(value)) | {"manifests": made(places, value)}, value))
            if key.value == "lab"
            else (key, value)
            for key, value in self.tree.value
        ]
        return yaml.MappingNode(
            self.tree.tag, pairs, self.tree.start_mark, self.tree.end_mark, flow_style=False
        )


def is_compact(root: yaml.Node | None) -> bool:
    """Whether the tree says that it is of this schema."""
    if not isinstance(root, yaml.MappingNode):
        return False
    return any(key.value == "schema" and value.value == SCHEMA for key, value in root.value)


def expand(root: yaml.Node, read: Reader | None = None) -> Expansion:
    """Expand the tree of a compact file. With `read` the objectives of its continuity file are held against it."""
    problems: list[Problem] = []
    place = Place(root, "", 1, problems)
    top = place.fields((*_AS_IT_IS, *_OWN), _NEEDED)
    found = Shape(
        top["name"].name(),
        zones := regions.read(top["regions"]),
        cells.read(top["cells"], zones),
    )
    lab = top["lab"].items()
    for name in _NEEDED_OF_LAB:
        if top["lab"].present and not (name in lab and lab[name].present):
            top["lab"].problem(f"'{name}' is missing")
    given = ports.read(lab.get("ports", _absent(top["lab"], "lab.ports")), found)
    clashes.report(top["cells"], found)
    if read is not None and top["continuity"].present:
        name = top["continuity"].text()
        if name and (asked := read(name)) is not None:
            objectives.report(asked, name, found, top["cells"], top["operations"])
    base = lab["base"].text(_BASE) if "base" in lab else _BASE
    return Expansion(
        _tree(root, top, lab, found, given),
        tuple(sorted(dict.fromkeys(problems))),
        frozenset(_taken_over(top, lab)),
        base,
        {} if problems else overlays.of(found),
        notes.of(found),
        tuple(region.name for region in found.regions),
        tuple(_files(top, lab)),
    )


def _absent(place: Place, path: str) -> Place:
    return Place(None, path, place.line, place.problems)


def _tree(
    root: yaml.Node, top: dict[str, Place], lab: dict[str, Place], shape: Shape, given: Ports
) -> yaml.Node:
    sections: dict[str, Any] = {"schema": FULL_SCHEMA, "name": "", "environment": "production"}
    sections["regions"] = _regions(top["regions"], shape)
    sections |= harness_half.defaults(shape, given)
    where = top["lab"].node or root
    sections["lab"] = made(_lab(lab, shape, given, where), where)
    for name in _AS_IT_IS:
        if (node := top[name].node) is not None:
            sections[name] = node
    sections["services"] = made(
        sections["services"] | _entries(top["services"]), top["services"].node or root
    )
    url = {"url": harness_half.prometheus_url(given)}
    sections["prometheus"] = made(url | _entries(top["prometheus"]), top["prometheus"].node or root)
    if (books := top["audit"].node) is not None:
        stated = _entries(top["audit"])
        follows = {} if "kind" in stated else harness_half.audit(shape, given, books)
        sections["audit"] = made(follows | stated, books)
    return made(sections, root)


def _regions(place: Place, shape: Shape) -> dict[str, Any]:
    parts = place.items()
    found = {}
    for region in shape.regions:
        stated = _entries(parts[region.name])
        kept: dict[str, Any] = {name: stated[name] for name in ("context", "cluster_id") if name in stated}
        found[region.name] = made(kept | {"zones": [made(z.name, z.at) for z in region.zones]}, region.at)
    return found


def _lab(lab: dict[str, Place], shape: Shape, given: Ports, at: yaml.Node) -> dict[str, Any]:
    """The lab's block: what follows, what the file says; lists of both are joined."""
    found = lab_half.block(shape, given, at)
    for name, stated in lab.items():
        if name in ("ports", "base") or stated.node is None:
            continue
        more = isinstance(stated.node, yaml.SequenceNode) and isinstance(found.get(name), list)
        found[name] = [*found[name], *stated.node.value] if more else stated.node
    return found


def _entries(place: Place) -> dict[str, Any]:
    return {name: child.node for name, child in place.items().items() if child.node is not None}


def _files(top: dict[str, Place], lab: dict[str, Place]) -> Iterator[str]:
    """Files that the estate names, as far as they are given as text."""
    prometheus = lab["prometheus"].items() if "prometheus" in lab else {}
    rules = prometheus["rules"].elements() if "rules" in prometheus else []
    places = [
        top["continuity"],
        top["profile"],
        *([prometheus["config"]] if "config" in prometheus else []),
        *rules,
    ]
    for place in places:
        if isinstance(place.node, yaml.ScalarNode):
            yield str(place.node.value)


def _pairs(node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    """The entries of a mapping that was made here."""
    yield from ((key.value, value) for key, value in node.value)


def _taken_over(top: dict[str, Place], lab: dict[str, Place]) -> set[int]:
    kept = [top[name] for name in (*_AS_IT_IS, "prometheus", "audit", "services")]
    kept += [part for name, part in lab.items() if name not in ("ports", "base")]
    return {line for part in kept if part.node is not None for line in (part.line, *nodes.lines(part.node))}
