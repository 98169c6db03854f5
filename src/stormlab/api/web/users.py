"""Who asks and what they may do: bearer tokens, an administrator and the nodes (topic 18).

Rights are a table, not RBAC objects: the lab has two roles. Refusals read as a real server's.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stormlab.api.status import ApiError
from stormlab.api.web.route import Target

_READ = frozenset({"get", "list", "watch"})
_OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version")
_DISCOVERY = ("/api", "/apis", "/openapi", "/version")
# Everybody who is known may ask who he is and what he may do.
_SELF_REVIEWS = ("selfsubjectaccessreviews", "selfsubjectreviews")
_NODE_RIGHTS: Mapping[tuple[str, str], frozenset[str]] = {
    ("", "nodes"): _READ | {"create", "patch", "update"},
    ("", "nodes/status"): _READ | {"patch", "update"},
    ("", "pods"): _READ | {"delete"},
    ("", "pods/status"): _READ | {"patch", "update"},
    ("", "pods/eviction"): frozenset({"create"}),
    ("", "events"): frozenset({"create", "patch", "update"}),
    ("", "persistentvolumeclaims/status"): _READ | {"patch", "update"},
    ("coordination.k8s.io", "leases"): _READ | {"create", "patch", "update", "delete"},
    **{
        ("", resource): _READ
        for resource in ("services", "endpoints", "configmaps", "secrets", "persistentvolumeclaims",
                         "namespaces", "serviceaccounts")
    },
    ("discovery.k8s.io", "endpointslices"): _READ,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated caller, or the anonymous one."""

    name: str
    groups: tuple[str, ...] = ()
    role: str = ""


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
ADMIN = User("kubernetes-admin", ("system:masters", "system:authenticated"), "admin")
NODE = User("system:node:lab", ("system:nodes", "system:authenticated"), "node")


def nobody(_: str) -> User | None:
    """Know no token."""
    return None


def authenticate(
    header: str, tokens: Mapping[str, User], account: Callable[[str], User | None] = nobody
) -> User:
    """Return the user of an Authorization header; none is anonymous, a wrong one ApiError 401.

    `account` knows the tokens that are not on the list: those of service accounts.
    """
    if not header:
        return ANONYMOUS
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer":
        for known, user in tokens.items():
            if hmac.compare_digest(known.encode(), token.strip().encode()):
                return user
        if (holder := account(token.strip())) is not None:
            return holder
    raise ApiError(401, "Unauthorized", "Unauthorized")


def authorize_path(user: User, path: str, method: str) -> None:
    """Check rights on a path that is not a resource; ApiError 403."""
    if user.role == "admin" or path.startswith(_OPEN_PATHS):
        return
    if user is not ANONYMOUS and method == "GET" and path.startswith(_DISCOVERY):
        return
    message = f'forbidden: User "{user.name}" cannot {method.lower()} path "{path}"'
    raise ApiError(403, "Forbidden", message, {})


def allowed(user: User, group: str, resource: str, verb: str) -> bool:
    """Say whether a user may use a verb on a resource (`pods/log` for subresources)."""
    return user.role == "admin" or (
        user.role == "node" and verb in _NODE_RIGHTS.get((group, resource), frozenset())
    )


def authorize(user: User, target: Target, verb: str, name: str) -> None:
    """Check rights on a resource; ApiError 403, whether or not the thing exists."""
    if user is not ANONYMOUS and target.resource in _SELF_REVIEWS:
        return
    resource = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
    if allowed(user, target.group, resource, verb):
        return
    shown = f"{target.resource}.{target.group}" if target.group else target.resource
    shown = f'{shown} "{name}"' if name else shown
    scope = "at the cluster scope" if target.namespace is None else f'in the namespace "{target.namespace}"'
    message = (
        f'{shown} is forbidden: User "{user.name}" cannot {verb} resource "{resource}" '
        f'in API group "{target.group}" {scope}'
    )
    details = {"name": name} if name else {}
    if target.group:
        details["group"] = target.group
    raise ApiError(403, "Forbidden", message, {**details, "kind": target.resource})
