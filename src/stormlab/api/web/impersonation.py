"""Acting as somebody else: the Impersonate headers, as `kubectl --as` sends them.

Kubernetes documentation: "Authenticating", user impersonation. Whoever asks needs the right `impersonate` on each
user, group or service account that he names; from then on the request is theirs.
"""

from __future__ import annotations

from aiohttp import web

from stormlab.api.status import ApiError, not_implemented
from stormlab.api.store import Store
from stormlab.api.web.rights import authorize
from stormlab.api.web.route import Target
from stormlab.api.web.users import ADMIN, ANONYMOUS, NODE, User

_USER, _GROUP = "Impersonate-User", "Impersonate-Group"
_NOT_BUILT = ("impersonate-uid", "impersonate-extra-")
_ACCOUNT = "system:serviceaccount:"
_ROLES = {"system:masters": ADMIN.role, "system:nodes": NODE.role}


def acting(store: Store, user: User, request: web.Request) -> User:
    """Return whom the request is made as, `user` where no header names another; ApiError 403, 500 or 501."""
    headers = request.headers
    if any(name.lower().startswith(_NOT_BUILT) for name in headers):
        raise not_implemented("impersonation of a uid or of extra fields is not built")
    name, groups = headers.get(_USER, ""), tuple(headers.getall(_GROUP, ()))
    if not name:
        if groups:
            why = "Internal error occurred: requested groups without impersonating a user"
            raise ApiError(500, "InternalError", why, {"causes": [{"message": why.partition(": ")[2]}]})
        return user
    _require(store, user, name, groups)
    if name == ANONYMOUS.name:
        return ANONYMOUS
    groups = (*(groups or _own_groups(name)), "system:authenticated")
    role = next((_ROLES[group] for group in groups if group in _ROLES), "")
    return User(name, tuple(dict.fromkeys(groups)), role)


def _require(store: Store, user: User, name: str, groups: tuple[str, ...]) -> None:
    if name.startswith(_ACCOUNT):
        namespace, _, account = name.removeprefix(_ACCOUNT).partition(":")
        target = Target("", "v1", "serviceaccounts", namespace, account)
        authorize(store, user, target, "impersonate", account)
    else:
        authorize(store, user, Target("", "v1", "users", None, name), "impersonate", name)
    for group in groups:
        authorize(store, user, Target("", "v1", "groups", None, group), "impersonate", group)


def _own_groups(name: str) -> tuple[str, ...]:
    """The groups that a service account is in, whoever speaks for it."""
    if not name.startswith(_ACCOUNT):
        return ()
    return ("system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}")
