"""Writing a pod's status to the API beside its life: a silent API must not stop a restart or a kill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from stormlab.client import ApiError, Client
from stormlab.node.context import log
from stormlab.wait import event_within, pause

_RETRY_S = 0.5


class StatusWriter:
    """Of one pod. Only the newest status is written; what fails is tried again until it is outdated."""

    def __init__(self, client: Client, pod: dict[str, Any], on_gone: Callable[[], None]) -> None:
        self._client = client
        self._on_gone = on_gone
        metadata = pod["metadata"]
        self._uid = metadata["uid"]
        self._path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        self.current: dict[str, Any] = pod.get("status") or {}
        """As last written, or as the API had it when this node first saw the pod."""
        self._wanted: dict[str, Any] | None = None
        self._dirty = asyncio.Event()
        self._written = asyncio.Event()
        self.pod_is_gone = False
        self._task = asyncio.create_task(self._run())

    def observed(self, pod: dict[str, Any]) -> None:
        """The API's present object. Somebody else's change of our part is written over."""
        if (
            self._wanted is not None
            and self._written.is_set()
            and not _covers(pod.get("status") or {}, self._wanted)
        ):
            self._touch()

    def want(self, status: dict[str, Any]) -> None:
        """The status to write, if it differs from the last."""
        if status != self._wanted:
            self._wanted = status
            self.current = {**self.current, **status}
            self._touch()

    def _touch(self) -> None:
        self._written.clear()
        self._dirty.set()

    @property
    def idle(self) -> bool:
        """Whether the API has all there is to say."""
        return self.pod_is_gone or self._wanted is None or self._written.is_set()

    async def flush(self, timeout_s: float) -> None:
        """Wait until the newest status is written, at most `timeout_s`."""
        if not self.pod_is_gone:
            await event_within(self._written, timeout_s)

    async def close(self) -> None:
        """Write no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while not self.pod_is_gone:
            await self._dirty.wait()
            self._dirty.clear()
            # With the uid, so that a status never lands on a successor of the same name.
            body = {"metadata": {"uid": self._uid}, "status": self._wanted}
            try:
                await self._client.patch(self._path, body)
            except ApiError as error:
                if error.code in {404, 409, 422}:
                    await self._check_gone(error)
                    continue
                log.warning("%s: %s", self._path, error)
                self._dirty.set()
                await pause(_RETRY_S)
                continue
            if not self._dirty.is_set():
                self._written.set()

    async def _check_gone(self, error: ApiError) -> None:
        """404, or 409 because the name now belongs to another uid: the pod is gone. Else try again."""
        try:
            found = await self._client.get(self._path.removesuffix("/status"))
            if found["metadata"]["uid"] == self._uid:
                log.warning("%s: %s", self._path, error)
                self._dirty.set()
                await pause(_RETRY_S)
                return
        except ApiError as again:
            if again.code != 404:
                self._dirty.set()
                await pause(_RETRY_S)
                return
        self.pod_is_gone = True
        self._written.set()
        self._on_gone()


def _covers(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether the API has every field we write; lists of conditions may hold more than ours."""
    there = {condition["type"]: condition for condition in found.get("conditions") or ()}
    for condition in wanted.get("conditions") or ():
        present = there.get(condition["type"], {})
        if any(present.get(key) != value for key, value in condition.items()):
            return False
    return all(found.get(key) == value for key, value in wanted.items() if key != "conditions")
