"""What the lab block says that `status` is to show beyond the lab itself: rows by PromQL, and what to look for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from stormlab.yamltree import Tree

_RESOURCE = re.compile(r"[a-z0-9.-]+/[a-z0-9]+/[a-z0-9-]+")
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


@dataclass(frozen=True)
class StatusRow:
    """A row of `status`: what the lab's Prometheus answers to a query."""

    name: str
    query: str
    line: int = field(default=0, compare=False)
    """Where it stands in the topology file."""


@dataclass(frozen=True)
class Watch:
    """Objects in every region's API that tell what is wrong on purpose."""

    faults: str = "stormdrill.io/v1alpha1/faults"
    """Group, version and plural of the faults in force."""
    fences: str = "stormdrill-fence"
    """Name of the ConfigMap that closes a site."""


def rows(tree: Tree, *, has_prometheus: bool) -> tuple[StatusRow, ...]:
    """Read `lab.status`. Problems go to the tree."""
    found: list[StatusRow] = []
    for element in tree.elements():
        fields = element.fields(("name", "query"), ("name", "query"))
        row = StatusRow(fields["name"].text(), fields["query"].text(), fields["query"].line)
        if row.name in {known.name for known in found}:
            fields["name"].problem("given twice")
        found.append(row)
    if found and not has_prometheus:
        tree.problem("needs lab.prometheus, which is asked")
    return tuple(found)


def watch(tree: Tree) -> Watch:
    """Read `lab.watch`; what it does not say is as the harness of this project has it. Problems go to the tree."""
    fields = tree.fields(("faults", "fences"))
    faults, fences = fields["faults"].text(Watch.faults), fields["fences"].text(Watch.fences)
    if not _RESOURCE.fullmatch(faults):
        fields["faults"].problem(f"must be group/version/plural, such as {Watch.faults}")
    if not _OBJECT.fullmatch(fences):
        fields["fences"].problem(f"must be the name of a ConfigMap, such as {Watch.fences}")
    return Watch(faults, fences)
