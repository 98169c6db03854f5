"""PersistentVolumeClaims: defaults; what is behind them is a directory the node makes."""

from __future__ import annotations

from stormlab.api.jsontree import Tree, at
from stormlab.api.rules import Rules
from stormlab.api.rules.lab import refusals
from stormlab.api.status import Cause, forbidden_field, required


def default_claim(tree: Tree) -> None:
    """Fill in a claim or a claim template, in place."""
    tree.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    tree.setdefault("status", {}).setdefault("phase", "Pending")


class ClaimRules(Rules):
    """Rules of claims."""

    def default(self, tree: Tree) -> None:
        """Fill in the volume mode and the phase."""
        default_claim(tree)

    def prepare_create(self, tree: Tree) -> None:
        """Start Pending."""
        tree["status"] = {"phase": "Pending"}

    def validate(self, tree: Tree) -> list[Cause]:
        """Require what a claim must say."""
        causes = (
            []
            if tree["spec"].get("accessModes")
            else [required("spec.accessModes", "at least 1 access mode is required")]
        )
        if at(tree, "spec", "resources", "requests", "storage") is None:
            causes.append(required("spec.resources[storage]"))
        return causes + refusals("PersistentVolumeClaimSpec", tree["spec"], "spec")

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Allow only a binding and a larger request."""
        loose = {"resources", "volumeName"}
        if {k: v for k, v in tree["spec"].items() if k not in loose} != {
            k: v for k, v in old["spec"].items() if k not in loose
        }:
            why = (
                "spec is immutable after creation except resources.requests and volumeAttributesClassName "
                "for bound claims"
            )
            return [forbidden_field("spec", why)]
        return []
