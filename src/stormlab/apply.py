"""Creating and updating objects of a region, as often as asked, with the same result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stormlab.client import MERGE_PATCH, ApiError, Client
from stormlab.errors import LabError
from stormlab.manifests import Object, identity

# A field that the API does not know would be dropped, and nobody would ever learn that it was misspelt.
_STRICT = "?fieldValidation=Strict"


class Applier:
    """Applies objects through one region's API; knows its resources from discovery."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._resources: dict[str, dict[str, Mapping[str, Any]]] = {}

    async def apply(self, objects: Iterable[Object]) -> None:
        """Create each object, or merge it into the one that is there.

        Raises LabError naming the object that the API refuses.
        """
        for part in objects:
            try:
                await self._apply(part)
            except ApiError as error:
                raise LabError(f"{identity(part)}: {error}") from error

    async def _apply(self, part: Object) -> None:
        collection = await self._collection(part)
        try:
            await self._client.create(collection + _STRICT, part)
        except ApiError as error:
            if error.code != 409:
                raise
            name = part["metadata"]["name"]
            await self._client.patch(f"{collection}/{name}{_STRICT}", part, MERGE_PATCH)

    async def _collection(self, part: Object) -> str:
        """Path of the collection the object belongs to."""
        version, kind = part["apiVersion"], part["kind"]
        root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        if version not in self._resources:
            listed = await self._client.get(root)
            self._resources[version] = {
                entry["kind"]: entry for entry in listed["resources"] if "/" not in entry["name"]
            }
        resource = self._resources[version].get(kind)
        if resource is None:
            raise LabError(f"{identity(part)}: the lab's API does not serve {kind} of {version}")
        if not resource["namespaced"]:
            return f"{root}/{resource['name']}"
        namespace = part["metadata"].get("namespace", "default")
        return f"{root}/namespaces/{namespace}/{resource['name']}"
