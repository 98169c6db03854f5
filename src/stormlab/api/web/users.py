"""Who asks: bearer tokens of the administrator, the nodes, and service accounts (topic 18)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stormlab.api.status import ApiError


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated caller, or the anonymous one."""

    name: str
    groups: tuple[str, ...] = ()
    role: str = ""
    uid: str = ""


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
    token = token.strip()
    if scheme.lower() == "bearer" and token.isascii():
        for known, user in tokens.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                return user
        if (holder := account(token)) is not None:
            return holder
    raise ApiError(401, "Unauthorized", "Unauthorized")
