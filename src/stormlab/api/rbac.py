"""Role-based access: what Roles and ClusterRoles give to whom bindings name (topic 18).

Kubernetes documentation: "Using RBAC Authorization". Rights only add up; nothing denies. A binding whose
role is not there gives nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from stormlab.api.jsontree import Tree
from stormlab.api.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING
from stormlab.api.record import Record
from stormlab.api.store import Store

_ANY = "*"


class Subject(Protocol):
    """Who asks: a user's name and groups."""

    @property
    def name(self) -> str:
        """Return the user's name; a service account's is `system:serviceaccount:<namespace>:<name>`."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the user's groups."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to do; `namespace` is None at cluster scope, `resource` may be `pods/log`."""

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str | None = None
    name: str = ""
    path: str = ""
    """A path that is not a resource, in place of a resource."""


def _has(words: list[str] | None, word: str) -> bool:
    return words is not None and (_ANY in words or word in words)


def _gives(rule: Tree, asked: Asked) -> bool:
    if not _has(rule.get("verbs"), asked.verb):
        return False
    if asked.path:
        return any(
            url == asked.path or (url.endswith(_ANY) and asked.path.startswith(url[:-1]))
            for url in rule.get("nonResourceURLs", ())
        )
    part = asked.resource.partition("/")[2]
    resources = rule.get("resources", [])
    return (
        _has(rule.get("apiGroups"), asked.group)
        and (_has(resources, asked.resource) or bool(part and f"*/{part}" in resources))
        and (not rule.get("resourceNames") or asked.name in rule["resourceNames"])
    )


def _named(subject: Tree, user: Subject, namespace: str) -> str:
    """Return how a binding's subject is told if it means this user, else nothing."""
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "ServiceAccount":
        home = subject.get("namespace") or namespace
        found = user.name == f"system:serviceaccount:{home}:{name}"
        return f'ServiceAccount "{name}/{home}"' if found else ""
    found = name == user.name if kind == "User" else kind == "Group" and name in user.groups
    return f'{kind} "{name}"' if found else ""


def _bindings(store: Store, asked: Asked) -> Iterator[Record]:
    yield from store.records(CLUSTER_ROLE_BINDING)
    if asked.namespace and not asked.path:
        yield from store.records(ROLE_BINDING, asked.namespace)


def _role(store: Store, binding: Record) -> Record | None:
    given = binding.tree["roleRef"]
    if given["kind"] == "ClusterRole":
        return store.get(CLUSTER_ROLE, "", given["name"])
    return store.get(ROLE, binding.namespace, given["name"])


def granted(store: Store, user: Subject, asked: Asked) -> str:
    """Return why a user may do this, or nothing where no binding gives the right."""
    for binding in _bindings(store, asked):
        told = [_named(item, user, binding.namespace) for item in binding.tree.get("subjects") or ()]
        who = next(filter(None, told), "")
        role = _role(store, binding) if who else None
        if role is not None and any(_gives(rule, asked) for rule in role.tree.get("rules") or ()):
            place = f"{binding.name}/{binding.namespace}" if binding.namespace else binding.name
            by = f'{binding.kind.kind} "{place}" of {role.kind.kind} "{role.name}"'
            return f"RBAC: allowed by {by} to {who}"
    return ""
