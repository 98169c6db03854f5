"""The rules of one custom kind, all of them from its definition."""

from __future__ import annotations

from stormlab.api.custom.kind import CustomKind
from stormlab.api.custom.shape import fill_defaults
from stormlab.api.custom.validation import validate
from stormlab.api.jsontree import Tree
from stormlab.api.rules import Rules
from stormlab.api.status import Cause


class CustomRules(Rules):
    """Defaults and schema of a custom kind; its status is the subresource's where there is one."""

    def __init__(self, kind: CustomKind) -> None:
        self._kind = kind

    def default(self, tree: Tree) -> None:
        """Fill in the schema's defaults."""
        fill_defaults(self._kind, tree)

    def prepare_create(self, tree: Tree) -> None:
        """Drop a status that may only be set through the subresource."""
        if "status" in self._kind.subresources:
            tree.pop("status", None)

    def validate(self, tree: Tree) -> list[Cause]:
        """Check everything but metadata, whose schema is the server's own."""
        return validate(self._kind.schema, {**tree, "metadata": {}})

    def validate_status(self, tree: Tree) -> list[Cause]:
        """Check the status."""
        schema = self._kind.schema.get("properties", {}).get("status", {})
        return validate(schema, tree["status"], "status") if "status" in tree else []
