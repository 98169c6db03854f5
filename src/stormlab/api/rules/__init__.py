"""What a kind adds to the general verbs: defaults, preparation, validation, one file per family.

The registry is explicit (`rules.registry`). A rule never writes to the store.
"""

# ruff: noqa: ARG002 -- the empty rules name their arguments for those who override them

from __future__ import annotations

from typing import Protocol

from stormlab.api.jsontree import Tree
from stormlab.api.kinds import Kind
from stormlab.api.record import Record
from stormlab.api.status import Cause


class World(Protocol):
    """What rules may ask about the rest of the cluster."""

    def get(self, kind: Kind, namespace: str, name: str) -> Record | None:
        """Return an object, or None."""

    def cluster_ip(self) -> str:
        """Return a free service address."""

    def node_port(self) -> int:
        """Return a free node port."""

    def cluster_ip_taken(self, address: str) -> bool:
        """Say whether a service has this address."""

    def node_port_taken(self, port: int) -> bool:
        """Say whether a service has this node port."""


class Rules:
    """The rules of a kind that has none of its own."""

    name_pattern = "subdomain"

    def default(self, tree: Tree) -> None:
        """Fill in what the client left out, in place; runs after every decode."""

    def prepare_create(self, tree: Tree) -> None:
        """Reset what a client may not set, in place."""

    def prepare_update(self, tree: Tree, old: Tree) -> None:
        """Carry over what an update of the main resource may not touch, in place."""

    def admit(self, tree: Tree, world: World, asked: str) -> None:
        """Check a new object against the rest of the cluster; raises ApiError where it is refused.

        `asked` is the name a refusal tells: where the server makes names up, the beginning that was given.
        """

    def allocate(self, tree: Tree, world: World) -> None:
        """Give out what the server gives out, in place; runs on create and update."""

    def validate(self, tree: Tree) -> list[Cause]:
        """Return what is wrong with an object, new or changed."""
        return []

    def validate_status(self, tree: Tree) -> list[Cause]:
        """Return what is wrong with the status of an object whose status alone is written."""
        return []

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Return what an update may not change."""
        return []
