"""ConfigMaps and Secrets as a pod saw them last: its containers restart while the API is out of reach too."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from stormlab.client import ApiError, Client

_FRESH_S = 60.0
_ASK_S = 3.0


class CachedObjects:
    """Of one pod. An object younger than a minute is not asked for again, as kubelets hold it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}
        self._asking: set[str] = set()

    def heard(self, path: str, found: dict[str, Any] | None) -> None:
        """What the API says of an object by itself, None when it is gone; only of one that was asked for."""
        if found is None:
            self._known.pop(path, None)
        elif path in self._known or path in self._asking:
            self._known[path] = (time.monotonic(), found)

    async def get(self, path: str) -> dict[str, Any]:
        """Read one object; raises ApiError when the API refuses, or is silent and never answered before."""
        known = self._known.get(path)
        if known is not None and time.monotonic() - known[0] < _FRESH_S:
            return known[1]
        self._asking.add(path)
        try:
            async with asyncio.timeout(_ASK_S):
                found = await self._client.get(path)
        except (ApiError, TimeoutError) as error:
            if known is not None and (
                isinstance(error, TimeoutError) or error.code == 0 or error.code >= 500
            ):
                return known[1]
            if isinstance(error, TimeoutError):
                raise ApiError(0, "Timeout", f"GET {path}: no answer within {_ASK_S:g} s") from error
            raise
        finally:
            self._asking.discard(path)
        later = self._known.get(path)
        if later is not None and later is not known and _version(later[1]) > _version(found):
            return later[1]  # it changed while this answer was under way
        self._known[path] = (time.monotonic(), found)
        return found


def _version(found: dict[str, Any]) -> int:
    return int((found.get("metadata") or {}).get("resourceVersion") or 0)
