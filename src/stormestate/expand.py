"""The compact file to the node tree of a full topology, and to the overlays of its regions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from stormestate import cells, clashes, notes, objectives, overlays, ports, regions, tree
from stormestate.nodes import made
from stormestate.place import Place, Problem
from stormestate.shape import Shape

SCHEMA = "stormdrill.estate/1"
_NEEDED = ("name", "regions", "cells", "lab", "operations", "audit", "continuity")
_NEEDED_OF_LAB = ("network", "ports", "prometheus")
_OWN = ("schema", "regions", "cells", "lab", "prometheus", "audit", "services")
_BASE = "kubernetes/base"
_PHONES = ("http", "https")
"""How phones speak to the edges, which listen for both."""
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
    top = place.fields((*tree.AS_IT_IS, *_OWN), _NEEDED)
    lab = top["lab"].items()
    found = Shape(
        top["name"].name(),
        zones := regions.read(top["regions"]),
        cells.read(top["cells"], zones),
        ports.outside(lab["network"].text() if "network" in lab else ""),
    )
    for name in _NEEDED_OF_LAB:
        if top["lab"].present and not (name in lab and lab[name].present):
            top["lab"].problem(f"'{name}' is missing")
    given = ports.read(lab.get("ports", _absent(top["lab"], "lab.ports")), found)
    if "phones" in lab and lab["phones"].text() not in _PHONES:
        lab["phones"].problem(f"must be one of {', '.join(_PHONES)}")
    if "edge_certificate" in lab:
        lab["edge_certificate"].fields(tree.OF_CERTIFICATE)
    clashes.report(top["cells"], found)
    if read is not None and top["continuity"].present:
        name = top["continuity"].text()
        if name and (asked := read(name)) is not None:
            objectives.report(asked, name, found, top["cells"], top["operations"])
    base = lab["base"].text(_BASE) if "base" in lab else _BASE
    return Expansion(
        tree.build(root, top, lab, found, given),
        tuple(sorted(dict.fromkeys(problems))),
        frozenset(tree.taken_over(top, lab)),
        base,
        {} if problems else overlays.of(found),
        notes.of(found),
        tuple(region.name for region in found.regions),
        tuple(_files(top, lab)),
    )


def _absent(place: Place, path: str) -> Place:
    return Place(None, path, place.line, place.problems)


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
