"""Where a secret is kept, resolved at the last moment; it is never logged and never part of a plan."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import Any, Protocol

from stormdrill.errors import InputError
from stormdrill.estate_secrets import Credential


class Reads(Protocol):
    """What this module needs of a cluster."""

    def get(self, path: str) -> dict[str, Any]:
        """One object."""


def resolve(credential: Credential | None, cluster_of: Callable[[str], Reads]) -> str | None:
    """The secret, or None when none is asked for.

    `cluster_of` gives the cluster of a region. InputError when variable, file or key is
    missing; errors of the API pass through.
    """
    if credential is None:
        return None
    if credential.env is not None:
        value = os.environ.get(credential.env)
        if not value:
            raise InputError(f"the environment variable {credential.env} is not set")
        return value
    if credential.file is not None:
        try:
            return credential.file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{credential.file}: {getattr(error, 'strerror', None) or 'not text'}") from None
    if credential.secret is None:
        raise InputError("a credential names no place")
    place = credential.secret
    found = cluster_of(place.region).get(f"/api/v1/namespaces/{place.namespace}/secrets/{place.name}")
    data = found.get("data") or {}
    if place.key not in data:
        raise InputError(f"secret {place.namespace}/{place.name} has no key {place.key}")
    return base64.b64decode(data[place.key]).decode("utf-8")
