"""Whose token it is: service accounts and the pods that speak for them."""

from __future__ import annotations

from stormlab import accounts
from stormlab.api.kinds import POD, SERVICE_ACCOUNT
from stormlab.api.objects import Objects
from stormlab.api.web.users import User


class Holders:
    """Knows the tokens signed with `key`; none at all when that is empty."""

    def __init__(self, objects: Objects, key: bytes) -> None:
        self._objects = objects
        self._key = key

    def user(self, token: str) -> User | None:
        """The user of a token whose account and pod are still there, as the same objects; else None."""
        if not self._key:
            return None
        found = accounts.verify(self._key, token, self._objects.now().timestamp())
        if found is None:
            return None
        holder = self._objects.get(SERVICE_ACCOUNT, found.namespace, found.name)
        pod = self._objects.get(POD, found.namespace, found.pod)
        if holder is None or holder.uid != found.uid or pod is None or pod.uid != found.pod_uid:
            return None
        groups = (
            "system:serviceaccounts",
            f"system:serviceaccounts:{found.namespace}",
            "system:authenticated",
        )
        return User(found.user, groups, uid=found.uid)
