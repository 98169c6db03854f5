"""The node tree of a full topology, put together from what follows and from what a compact file says itself."""

from __future__ import annotations

from typing import Any

import yaml

from stormestate import harness_half, lab_half, nodes
from stormestate.nodes import Taken, made
from stormestate.place import Place
from stormestate.shape import Ports, Shape

FULL_SCHEMA = "stormdrill.topology/1"
AS_IT_IS = (
    "name", "environment", "links", "operations", "metrics", "continuity", "profile", "idempotency", "lock",
    "canaries", "fence",
)  # fmt: skip
"""Sections that both forms have."""
_JOINED = ("prometheus", "audit", "services")
"""Sections of which a part follows."""
_NOT_THE_LABS = ("ports", "base", "phones", "edge_certificate")
OF_CERTIFICATE = ("lifetime",)
"""What a file may say of the edges' certificate; it is taken over into their Secret."""


def build(
    root: yaml.Node, top: dict[str, Place], lab: dict[str, Place], shape: Shape, given: Ports
) -> yaml.Node:
    """The tree. What follows stands at the key of the section that it joins, apart from what the file says there."""
    sections: dict[str, Any] = {"schema": FULL_SCHEMA, "name": "", "environment": "production"}
    sections["regions"] = _regions(top["regions"], shape)
    sections |= harness_half.defaults(
        shape, given, secured="phones" in lab and lab["phones"].text() == "https"
    )
    at = {name: top[name].key or root for name in ("lab", *_JOINED)}
    sections["lab"] = made(_lab(lab, shape, given, at["lab"]), at["lab"])
    sections |= {name: entry for name, entry in _taken(top).items() if name in AS_IT_IS}
    sections["services"] = made(sections["services"] | _taken(top["services"].items()), at["services"])
    url = {"url": harness_half.prometheus_url(given)}
    sections["prometheus"] = made(url | _taken(top["prometheus"].items()), at["prometheus"])
    if top["audit"].present:
        stated = _taken(top["audit"].items())
        follows = {} if "kind" in stated else harness_half.audit(shape, given, at["audit"])
        sections["audit"] = made(follows | stated, at["audit"])
    return made(sections, root)


def _regions(place: Place, shape: Shape) -> dict[str, Any]:
    parts = place.items()
    found = {}
    for region in shape.regions:
        stated = _taken(parts[region.name].items())
        kept: dict[str, Any] = {name: stated[name] for name in ("context", "cluster_id") if name in stated}
        found[region.name] = made(kept | {"zones": [made(z.name, z.at) for z in region.zones]}, region.at)
    return found


def _lab(lab: dict[str, Place], shape: Shape, given: Ports, at: yaml.Node) -> dict[str, Any]:
    """The lab's block: what follows, what the file says; lists of both are joined."""
    found = lab_half.block(shape, given, at, _taken(_of_certificate(lab)))
    for name, stated in lab.items():
        if name in _NOT_THE_LABS or stated.node is None or stated.key is None:
            continue
        more = isinstance(stated.node, yaml.SequenceNode) and isinstance(found.get(name), list)
        found[name] = [*found[name], *stated.node.value] if more else Taken(stated.key, stated.node)
    return found


def _of_certificate(lab: dict[str, Place]) -> dict[str, Place]:
    parts = lab["edge_certificate"].items() if "edge_certificate" in lab else {}
    return {name: part for name, part in parts.items() if name in OF_CERTIFICATE}


def _taken(places: dict[str, Place]) -> dict[str, Taken]:
    return {
        name: Taken(place.key, place.node)
        for name, place in places.items()
        if place.node is not None and place.key is not None
    }


def taken_over(top: dict[str, Place], lab: dict[str, Place]) -> set[int]:
    """The lines on which stands what is in the tree as it is."""
    kept = [top[name] for name in AS_IT_IS]
    kept += [part for name in _JOINED for part in top[name].items().values()]
    kept += [part for name, part in lab.items() if name not in _NOT_THE_LABS]
    kept += _of_certificate(lab).values()
    return {line for part in kept if part.node is not None for line in (part.line, *nodes.lines(part.node))}
