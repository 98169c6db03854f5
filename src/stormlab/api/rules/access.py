"""Roles and their bindings: the shape of rules, and a role reference that stays (topic 18)."""

from __future__ import annotations

from stormlab.api.jsontree import Tree
from stormlab.api.kinds import RBAC
from stormlab.api.rules import Rules
from stormlab.api.status import Cause, invalid_value, required, unsupported

_SUBJECTS = ("ServiceAccount", "User", "Group")


class RoleRules(Rules):
    """Rules of Roles and ClusterRoles."""

    name_pattern = "segment"

    def __init__(self, *, cluster: bool) -> None:
        self._cluster = cluster

    def default(self, tree: Tree) -> None:
        """Show the absence of rules the way the server does."""
        tree.setdefault("rules", None)

    def validate(self, tree: Tree) -> list[Cause]:
        """Require verbs, and resources or paths."""
        causes: list[Cause] = []
        for index, rule in enumerate(tree["rules"] or ()):
            path = f"rules[{index}]"
            if not rule.get("verbs"):
                causes.append(required(f"{path}.verbs", "verbs must contain at least one value"))
            if urls := rule.get("nonResourceURLs"):
                if not self._cluster:
                    why = "namespaced rules cannot apply to non-resource URLs"
                    causes.append(invalid_value(f"{path}.nonResourceURLs", urls, why))
                continue
            for key, what in (("apiGroups", "api group"), ("resources", "resource")):
                if not rule.get(key):
                    why = f"resource rules must supply at least one {what}"
                    causes.append(required(f"{path}.{key}", why))
        return causes


class BindingRules(Rules):
    """Rules of RoleBindings and ClusterRoleBindings."""

    name_pattern = "segment"

    def __init__(self, *roles: str) -> None:
        self._roles = roles

    def default(self, tree: Tree) -> None:
        """Fill in the API groups."""
        if "roleRef" in tree:
            tree["roleRef"].setdefault("apiGroup", RBAC)
        for subject in tree.get("subjects", ()):
            if subject.get("kind") in {"User", "Group"}:
                subject.setdefault("apiGroup", RBAC)

    def validate(self, tree: Tree) -> list[Cause]:
        """Require a role, and subjects that can be told."""
        role, causes = tree.get("roleRef", {}), []
        if role.get("kind") not in self._roles:
            causes.append(unsupported("roleRef.kind", role.get("kind", ""), self._roles))
        if not role.get("name"):
            causes.append(required("roleRef.name"))
        for index, subject in enumerate(tree.get("subjects", ())):
            path = f"subjects[{index}]"
            if not subject.get("name"):
                causes.append(required(f"{path}.name"))
            if subject.get("kind") not in _SUBJECTS:
                causes.append(unsupported(f"{path}.kind", subject.get("kind", ""), _SUBJECTS))
            if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
                causes.append(required(f"{path}.namespace"))
        return causes

    def validate_update(self, tree: Tree, old: Tree) -> list[Cause]:
        """Refuse another role: whoever may change subjects must not change what they get."""
        if tree.get("roleRef") == old.get("roleRef"):
            return []
        return [invalid_value("roleRef", tree.get("roleRef"), "cannot change roleRef")]
