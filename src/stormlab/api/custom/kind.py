"""One kind that a CustomResourceDefinition adds, as a value made of its spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from stormlab.api.jsontree import Tree, at
from stormlab.api.kinds import STATUS, Kind

# The order in which discovery tells them, which is not that of built-in kinds.
VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
DEFAULT_COLUMNS: tuple[Tree, ...] = (
    {
        "name": "Age",
        "type": "date",
        "jsonPath": ".metadata.creationTimestamp",
        "description": (
            "CreationTimestamp is a timestamp representing the server time when this object was created. "
            "It is not guaranteed to be set in happens-before order across separate operations. Clients "
            "may not set this value. It is represented in RFC3339 form and is in UTC."
        ),
    },
)


@dataclass(frozen=True, slots=True, eq=False)
class CustomKind(Kind):
    """A kind with its structural schema and the columns of its Table."""

    singular_name: str = ""
    list_name: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[Tree, ...] = DEFAULT_COLUMNS

    @property
    def singular(self) -> str:
        """Return the singular name the definition gives."""
        return self.singular_name

    @property
    def list_kind(self) -> str:
        """Return the kind of a list of them."""
        return self.list_name

    def same_as(self, other: CustomKind) -> bool:
        """Say whether two kinds are described alike; kinds themselves are compared by identity."""
        return all(getattr(self, item.name) == getattr(other, item.name) for item in fields(self))

    @property
    def definition(self) -> str:
        """Return the name of its CustomResourceDefinition."""
        return f"{self.plural}.{self.group}"


def kind_of(definition: Tree) -> CustomKind:
    """Return the kind that a valid CustomResourceDefinition describes; it has exactly one version."""
    spec = definition["spec"]
    names, version = spec["names"], spec["versions"][0]
    return CustomKind(
        spec["group"],
        version["name"],
        names["kind"],
        names["plural"],
        spec["scope"] == "Namespaced",
        tuple(names.get("shortNames", ())),
        tuple(names.get("categories", ())),
        {"status": STATUS} if "status" in version.get("subresources", {}) else {},
        VERBS,
        unconditional_update=False,
        generation=True,
        singular_name=names["singular"],
        list_name=names["listKind"],
        schema=version["schema"]["openAPIV3Schema"],
        columns=tuple(version.get("additionalPrinterColumns", DEFAULT_COLUMNS)),
    )


def condition(definition: Tree, name: str) -> bool:
    """Say whether a condition of a CustomResourceDefinition is True."""
    listed = at(definition, "status", "conditions", default=[])
    return any(item["type"] == name and item["status"] == "True" for item in listed)


def established(definition: Tree) -> bool:
    """Say whether what a CustomResourceDefinition describes is served."""
    return condition(definition, "Established")
