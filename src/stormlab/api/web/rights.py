"""What a caller may do: the administrator everything, nodes what the table says, others what RBAC gives.

Refusals read as a real server's, and come before anything is said of what exists (topic 18).
"""

from __future__ import annotations

from collections.abc import Mapping

from stormlab.api import rbac
from stormlab.api.rbac import Asked
from stormlab.api.status import ApiError
from stormlab.api.store import Store
from stormlab.api.web.route import Target
from stormlab.api.web.users import ANONYMOUS, User

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


def reason(store: Store, user: User, asked: Asked) -> str | None:
    """Return why a user may do this, empty where it goes without saying, or None where he may not."""
    if user.role == "admin":
        return ""
    if user.role == "node":
        rights = _NODE_RIGHTS.get((asked.group, asked.resource), frozenset())
        return "" if asked.verb in rights else None
    return rbac.granted(store, user, asked) or None


def authorize_path(store: Store, user: User, path: str, method: str) -> None:
    """Check rights on a path that is not a resource; ApiError 403."""
    if path.startswith(_OPEN_PATHS):
        return
    if user is not ANONYMOUS and method == "GET" and path.startswith(_DISCOVERY):
        return
    if reason(store, user, Asked(method.lower(), path=path)) is not None:
        return
    message = f'forbidden: User "{user.name}" cannot {method.lower()} path "{path}"'
    raise ApiError(403, "Forbidden", message, {})


def authorize(store: Store, user: User, target: Target, verb: str, name: str) -> None:
    """Check rights on a resource; ApiError 403, whether or not the thing exists."""
    if user is not ANONYMOUS and target.resource in _SELF_REVIEWS:
        return
    resource = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
    if reason(store, user, Asked(verb, target.group, resource, target.namespace, name)) is not None:
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
