"""Objectives of the continuity file that the estate cannot keep, or that nobody could measure on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from stormestate.place import Place
from stormestate.shape import Cell, Shape

_SITE_LOSS = ("db-primary-loss", "same-city-site-loss")
"""Classes of faults that take the primary, and leave its standbys."""
_CITY_LOSS = "city-loss"
_ZERO = re.compile(r"\s*0+(\.0*)?\s*(ms|s|m|h)?\s*(\[.*)?", re.DOTALL)


@dataclass(frozen=True)
class _Objective:
    """One line of the continuity file: what a tier must keep under a fault class."""

    fault_class: str
    tier: str
    no_loss: bool
    line: int
    data_loss: int = 0
    """The line on which it says what may be lost; 0 when it does not."""
    bystanders: int = 0
    """The same of the customers of other cells."""


def report(continuity: yaml.Node, name: str, shape: Shape, cells: Place, operations: Place) -> None:
    """Report what `continuity` (the file called `name`) asks and this estate cannot show, at the estate's lines."""
    asked = list(_objectives(continuity))
    parts = cells.items()
    for cell in shape.cells:
        for text in _lossless(cell, asked, name):
            parts[cell.name].problem(text)
    if operations.present:
        for text in _unmeasured(asked, name, [_operation(each) for each in operations.items().values()]):
            operations.problem(text)


def _operation(place: Place) -> tuple[str, bool]:
    """Its tier, and whether it writes."""
    fields = place.items()
    tier, kind = fields.get("tier"), fields.get("kind")
    return tier.text() if tier else "", kind is not None and kind.text() == "write"


def _unmeasured(asked: list[_Objective], name: str, operations: list[tuple[str, bool]]) -> Iterator[str]:
    """What would look kept for want of anybody who asks for it."""
    for tier in dict.fromkeys(one.tier for one in asked):
        of_tier = [one for one in asked if one.tier == tier]
        writing = [writes for each, writes in operations if tier in (each, each[:1])]
        if not writing:
            classes = ", ".join(dict.fromkeys(one.fault_class for one in of_tier))
            yield (
                f"{name}:{of_tier[0].line} has objectives for tier {tier} ({classes}), and no operation is of that "
                "tier: nobody can measure them. Give an operation the tier, or drop the objectives"
            )
        elif not any(writing) and (lost := _where([(one.data_loss, one) for one in of_tier])):
            yield (
                f"{name}:{lost} has data_loss for tier {tier}, and no operation of that tier is of 'kind: write': "
                "nobody can measure it, for only what was written can be lost. Give the tier such an operation, or "
                "drop data_loss there"
            )
    if unjudged := _where([(one.bystanders, one) for one in asked]):
        yield (
            f"{name}:{unjudged} has bystanders, and no check compares the cells that were not hurt: nobody measures "
            "it. Drop it there"
        )


def _where(found: list[tuple[int, _Objective]]) -> str:
    """The lines that say something, each with its fault class."""
    return ", ".join(f"{line} ({one.fault_class})" for line, one in found if line)


def _lossless(cell: Cell, asked: list[_Objective], name: str) -> Iterator[str]:
    strict = [one for one in asked if one.no_loss]
    taken = [one for one in strict if one.fault_class in _SITE_LOSS]
    if taken and len(cell.home.zones) == 1:
        yield (
            f"no standby, but {_said(taken, name)}: what {cell.home.zones[0]} acknowledged goes with it. "
            "Name a zone of the same region under 'standby', or allow a loss there"
        )
    city = [one for one in strict if one.fault_class == _CITY_LOSS]
    if city:
        yield (
            f"nobody waits for the remote site, but {_said(city, name)}: what {cell.home.region} acknowledged a moment "
            "ago goes with it. Allow a loss there"
        )


def _said(asked: list[_Objective], name: str) -> str:
    what = ", ".join(f"{one.fault_class} {one.tier}" for one in asked)
    return f"{name}:{asked[0].line} allows no loss of data ({what})"


def _objectives(continuity: yaml.Node) -> Iterator[_Objective]:
    """What the file asks, as far as it is well formed: whether it is, its own reader says."""
    for fault_class, body in _pairs(_child(continuity, "fault_classes")):
        for tier, objective in _pairs(_child(body, "tiers")):
            loss = _child(objective, "data_loss")
            no_loss = isinstance(loss, yaml.ScalarNode) and _ZERO.fullmatch(str(loss.value)) is not None
            others = _line(_child(objective, "bystanders"))
            yield _Objective(fault_class, tier, no_loss, _line(loss) or _line(objective), _line(loss), others)


def _line(node: yaml.Node | None) -> int:
    return 0 if node is None else node.start_mark.line + 1


def _pairs(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        if isinstance(key, yaml.ScalarNode):
            yield str(key.value), value


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    return dict(_pairs(node)).get(name)
