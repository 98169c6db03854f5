"""All kinds one server serves: the built-in ones and those that definitions add while it runs."""

from __future__ import annotations

import re

from stormlab.api.custom.kind import CustomKind
from stormlab.api.kinds import KINDS, Kind

_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def version_order(name: str) -> tuple[int, int, int, str]:
    """Sort key of a version: v2, v1, v1beta1, v1alpha1, then other names by alphabet."""
    match = _VERSION.fullmatch(name)
    if match is None:
        return (3, 0, 0, name)
    stage = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return (stage, -int(match[1]), -int(match[3] or 0), name)


class Catalog:
    """The kinds of one server; custom ones go by the name of their definition."""

    def __init__(self) -> None:
        self._custom: dict[str, CustomKind] = {}
        self._index()

    def _index(self) -> None:
        self.kinds: tuple[Kind, ...] = (*KINDS, *self._custom.values())
        self._found = {(kind.group, kind.version, kind.plural): kind for kind in self.kinds}
        self._named = {kind.resource: kind for kind in self.kinds}
        self.groups = frozenset(kind.group for kind in self.kinds)

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """Return the kind that a path means, or None."""
        return self._found.get((group, version, plural))

    def named(self, resource: str) -> Kind | None:
        """Return the kind of `group/plural`, or None."""
        return self._named.get(resource)

    def of_kind(self, api_version: str, name: str) -> Kind | None:
        """Return the kind that an object says it is, or None."""
        found = (kind for kind in self.kinds if (kind.api_version, kind.kind) == (api_version, name))
        return next(found, None)

    def custom(self, definition: str) -> CustomKind | None:
        """Return the kind of a definition, or None while it is not served."""
        return self._custom.get(definition)

    def customs(self) -> tuple[CustomKind, ...]:
        """Return all kinds that definitions add."""
        return tuple(self._custom.values())

    def versions(self, group: str) -> list[str]:
        """Return a group's versions, the preferred one first."""
        return sorted({kind.version for kind in self.kinds if kind.group == group}, key=version_order)

    def define(self, kind: CustomKind) -> None:
        """Serve a kind, in place of what its definition said before."""
        self._custom[kind.definition] = kind
        self._index()

    def undefine(self, definition: str) -> None:
        """Serve a kind no longer."""
        self._custom.pop(definition, None)
        self._index()
