"""Paths of the API: which resource, object and subresource a URL means (topics 01, 08)."""

from __future__ import annotations

from dataclasses import dataclass

from stormlab.api.catalog import Catalog
from stormlab.api.custom.kind import CustomKind
from stormlab.api.kinds import Kind, Subresource
from stormlab.api.status import method_not_allowed, no_such_resource, not_found

_NAMESPACE_PARTS = ("status", "finalize")
_COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OBJECT = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PART = {"GET": "get", "PUT": "update", "PATCH": "patch", "POST": "create"}


@dataclass(frozen=True, slots=True)
class Target:
    """A resource path, taken apart; what it names may not exist."""

    group: str
    version: str
    resource: str
    namespace: str | None = None
    name: str = ""
    subresource: str = ""
    watch: bool = False

    def verb(self, method: str, *, watch: bool) -> str:
        """Return the verb rights are asked for; unknown methods count as themselves."""
        if not self.name and method == "GET" and (watch or self.watch):
            return "watch"
        table = _PART if self.subresource else _OBJECT if self.name else _COLLECTION
        return table.get(method, method.lower())


def parse(path: str) -> Target | None:
    """Take a resource path apart; None for paths that are not resources."""
    steps = [step for step in path.split("/") if step]
    if steps[:1] == ["api"] and len(steps) >= 3:
        group, version, rest = "", steps[1], steps[2:]
    elif steps[:1] == ["apis"] and len(steps) >= 4:
        group, version, rest = steps[1], steps[2], steps[3:]
    else:
        return None
    watch = rest[0] == "watch" and len(rest) > 1
    rest = rest[1:] if watch else rest
    namespace = None
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in _NAMESPACE_PARTS:
        namespace, rest = rest[1], rest[2:]
    resource, name, part = (*rest, "", "")[:3]
    return Target(
        group, version, resource, namespace, name, "/".join([part, *rest[3:]]) if part else "", watch
    )


def require_kind(target: Target, catalog: Catalog) -> Kind:
    """Return the target's kind; ApiError 404 when it is not served, or not at this scope."""
    kind = catalog.find(target.group, target.version, target.resource)
    if kind is None:
        raise no_such_resource()
    if target.namespace is not None and not kind.namespaced:
        raise no_such_resource()
    if target.namespace is None and kind.namespaced and target.name:
        raise no_such_resource()
    return kind


def require_verb(target: Target, kind: Kind, verb: str) -> Subresource | None:
    """Return the subresource, if any; ApiError 404 or 405 where the verb is not served."""
    if target.subresource:
        part = kind.subresources.get(target.subresource)
        if part is None:
            # Of a custom kind, a part it does not declare is an object that is not there (topic 16).
            raise not_found(kind, target.name) if isinstance(kind, CustomKind) else no_such_resource()
        if verb not in part.verbs:
            raise method_not_allowed()
        return part
    here = _OBJECT.values() if target.name else (*_COLLECTION.values(), "watch")
    if verb not in kind.verbs or verb not in here:
        raise method_not_allowed()
    if verb == "create" and target.namespace is None and kind.namespaced:
        raise method_not_allowed()
    return None
