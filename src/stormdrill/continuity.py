"""The continuity file: objectives by fault class and tier, each number with its basis, ceilings beside them.

A figure is written `45s [S] where it comes from`. The mark says how far to trust it: `[V]` seen in the named
source, `[S]` seen only in a secondary source, `[U]` unverified or our own choice. A target is what a drill is
graded on; breaking a ceiling is a compliance failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from stormdrill.content import Fields, Node, lines_of, open_document
from stormdrill.units import parse_duration_s, parse_ratio

SCHEMA = "stormdrill.continuity/1"
_FIGURE = re.compile(r"(?P<value>[^\[\]]+?)\s*\[(?P<mark>[VSU])\]\s*(?P<source>.*)", re.DOTALL)
T = TypeVar("T")
_TIER = re.compile(r"[A-Z][0-9]?")


class Basis(StrEnum):
    """How far a number may be trusted."""

    VERIFIED = "V"
    SECONDARY = "S"
    UNVERIFIED = "U"


@dataclass(frozen=True)
class Figure:
    """A number (seconds, or a ratio), how far to trust it, and where it comes from."""

    value: float
    basis: Basis
    source: str


@dataclass(frozen=True)
class Objective:
    """What one tier must keep under one fault class. None: not stated.

    `recovery_time` and `data_loss` in seconds (a data loss of 0 means no acknowledged write is lost);
    `hurt` is the largest ratio of requests that may suffer; `bystanders` the largest loss of
    success of other cells.
    """

    recovery_time: Figure | None
    data_loss: Figure | None
    hurt: Figure | None
    bystanders: Figure | None


NOTHING = Objective(None, None, None, None)


@dataclass(frozen=True)
class FaultClass:
    """A kind of loss and what each tier must keep under it."""

    name: str
    title: str
    tiers: Mapping[str, Objective]


@dataclass(frozen=True)
class Continuity:
    """The whole file. `windows` and `second_site` are settings by use (`ci`, `drill`...) in seconds."""

    path: Path
    sha256: str
    fault_classes: Mapping[str, FaultClass]
    ceilings: Mapping[str, Objective]
    reportable: Mapping[str, Figure]
    windows: Mapping[str, Figure]
    second_site: Mapping[str, Figure]
    lines: Mapping[str, int] = field(
        default_factory=dict, compare=False, repr=False, metadata={"plain": False}
    )
    """Where each value stands in the file, for what shows only beside others."""

    def objective(self, fault_class: str, tier: str) -> Objective | None:
        """The objective of a tier: its own entry, else that of its letter (`A1` falls back to `A`)."""
        return by_tier(self.fault_classes[fault_class].tiers, tier)

    def ceiling(self, tier: str) -> Objective | None:
        """The regulatory ceiling of a tier, by the same rule."""
        return by_tier(self.ceilings, tier)


def by_tier(table: Mapping[str, T], tier: str) -> T | None:
    """The entry of `tier`, else of its letter, else None."""
    return table.get(tier, table.get(tier[:1]))


def load(path: Path) -> Continuity:
    """Read a continuity file. InputError with every problem, each with its line."""
    document = open_document(path, SCHEMA)
    with document.root.fields() as top:
        top.get("schema")
        continuity = Continuity(
            path=path.resolve(),
            sha256=document.sha256,
            fault_classes={
                name: _fault_class(name, node) for name, node in top.need("fault_classes").items()
            },
            ceilings=_tiers(top.get("ceilings")),
            reportable=_figures(top.get("reportable")),
            windows=_figures(top.get("windows")),
            second_site=_figures(top.get("second_site")),
        )
    document.problems.raise_if_any()
    return replace(continuity, lines=lines_of(document.root))


def _fault_class(name: str, node: Node) -> FaultClass:
    with node.fields() as fields:
        tiers = fields.need("tiers")
        if tiers.present and not tiers.items():
            tiers.problem("must not be empty")
        return FaultClass(name, fields.need("title").text(), _tiers(tiers))


def _tiers(node: Node) -> dict[str, Objective]:
    for tier, child in node.items():
        if not _TIER.fullmatch(tier):
            child.problem("not a tier (a capital letter, then perhaps a digit: A, A1, B)")
    return {tier: _objective(child) for tier, child in node.items()}


def _objective(node: Node) -> Objective:
    with node.fields() as fields:
        return Objective(
            recovery_time=_optional(fields, "recovery_time", parse_duration_s),
            data_loss=_optional(fields, "data_loss", parse_duration_s),
            hurt=_optional(fields, "hurt", parse_ratio),
            bystanders=_optional(fields, "bystanders", parse_ratio),
        )


def _figures(node: Node) -> dict[str, Figure]:
    found = {name: _figure(child, parse_duration_s) for name, child in node.items()}
    return {name: figure for name, figure in found.items() if figure is not None}


def _optional(fields: Fields, name: str, parse: Callable[[str], float]) -> Figure | None:
    node = fields.get(name)
    return _figure(node, parse) if node.present else None


def _figure(node: Node, parse: Callable[[str], float]) -> Figure | None:
    def read(text: str) -> Figure | None:
        match = _FIGURE.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"'{text}' needs its basis: a value, then [V], [S] or [U], then the source")
        return Figure(parse(match["value"]), Basis(match["mark"]), " ".join(match["source"].split()))

    return node.parsed(read, None)
