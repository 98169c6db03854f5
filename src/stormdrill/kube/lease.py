"""A Lease as a lock: one holder at a time, renewed while it works, free again when silent for long enough.

A silent holder is judged by our own monotonic clock, from the last change we saw: wall clocks of two
machines, one of which may be the target of a clock fault, are never compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from stormdrill import wait
from stormdrill.errors import DeadlineError, TargetError
from stormdrill.kube.answers import ApiError

_GROUP = "/apis/coordination.k8s.io/v1"


class LeaseHeldError(TargetError):
    """Somebody else holds the lease; `holder` is who."""

    def __init__(self, message: str, holder: str) -> None:
        self.holder = holder
        super().__init__(message)


class Objects(Protocol):
    """What this module needs of a cluster."""

    def get(self, path: str) -> dict[str, Any]:
        """One object."""

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A new object."""

    def replace(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The object as given, if its resourceVersion still holds."""

    def delete(
        self, path: str, *, uid: str | None = None, resource_version: str | None = None
    ) -> dict[str, Any]:
        """The object gone."""


@dataclass(frozen=True)
class Lease:
    """A lease by name and who wants it. The state is in the cluster; this value can be made again."""

    cluster: Objects
    namespace: str
    name: str
    holder: str
    duration_s: int = 15

    @property
    def path(self) -> str:
        """The object's path."""
        return f"{_GROUP}/namespaces/{self.namespace}/leases/{self.name}"

    def holder_now(self) -> str | None:
        """Who holds it according to the object, alive or not; None when nobody does."""
        lease = self._read()
        return (lease["spec"].get("holderIdentity") or None) if lease else None

    def acquire(
        self,
        wait_s: float = 0.0,
        is_dead: Callable[[str], bool] = lambda _: False,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Become the holder; what `check` raises while it is waited for ends the wait.

        A lease of a holder that `is_dead` knows to be gone is taken at once; one that did not change for its
        own duration while we watched is taken then. LeaseHeldError after `wait_s`.
        """
        seen: tuple[str, float] | None = None

        def attempt() -> bool:
            nonlocal seen
            check()
            lease = self._read()
            if lease is None:
                return self._create()
            version = str(lease["metadata"]["resourceVersion"])
            if seen is None or seen[0] != version:
                seen = (version, time.monotonic())
            held_by = lease["spec"].get("holderIdentity") or ""
            silent_s = time.monotonic() - seen[1]
            expired = silent_s >= float(lease["spec"].get("leaseDurationSeconds") or self.duration_s)
            if held_by in ("", self.holder) or is_dead(held_by) or expired:
                return self._write(lease)
            return False

        try:
            wait.until(attempt, deadline_s=wait_s, what=f"lease {self.namespace}/{self.name}", poll_s=0.5)
        except DeadlineError:
            holder = self.holder_now() or "somebody who let go just now"
            message = f"another drill holds the lock {self.namespace}/{self.name}: {holder}"
            raise LeaseHeldError(message, holder) from None

    def renew(self) -> None:
        """Say that we still hold it. LeaseHeldError when we do not any more; a conflict is retried once."""
        for _ in range(2):
            lease = self._read()
            holder = (lease["spec"].get("holderIdentity") or "") if lease else ""
            if lease is None or holder != self.holder:
                message = f"the lock {self.namespace}/{self.name} was lost to {holder or 'nobody'}"
                raise LeaseHeldError(message, holder)
            if self._write(lease):
                return
        raise TargetError(f"the lock {self.namespace}/{self.name} changes faster than it can be renewed")

    def release(self) -> None:
        """Let go, if we hold it; the object is removed. Not an error when it is somebody else's or gone."""
        lease = self._read()
        if lease is None or lease["spec"].get("holderIdentity") != self.holder:
            return
        try:
            # Only as we read it: somebody may take over at this very moment.
            meta = lease["metadata"]
            self.cluster.delete(self.path, uid=meta["uid"], resource_version=meta["resourceVersion"])
        except ApiError as error:
            if not (error.conflict or error.missing):
                raise

    def _read(self) -> dict[str, Any] | None:
        try:
            lease = self.cluster.get(self.path)
        except ApiError as error:
            if error.missing:
                return None
            raise
        lease.setdefault("spec", {})
        return lease

    def _create(self) -> bool:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": self._spec({}),
        }
        try:
            self.cluster.create(f"{_GROUP}/namespaces/{self.namespace}/leases", body)
        except ApiError as error:
            if error.conflict:
                return False
            if error.missing:
                message = f"the lock's namespace '{self.namespace}' does not exist"
                raise ApiError(message, error.status, error.reason, error.body) from None
            raise
        return True

    def _write(self, lease: dict[str, Any]) -> bool:
        """Put our name and the time into the lease as read; False when somebody was faster."""
        try:
            self.cluster.replace(self.path, {**lease, "spec": self._spec(lease["spec"])})
        except ApiError as error:
            if error.conflict or error.missing:
                return False
            raise
        return True

    def _spec(self, old: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        mine = old.get("holderIdentity") == self.holder
        return {
            **old,
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self.duration_s,
            "renewTime": now,
            "acquireTime": old.get("acquireTime", now) if mine else now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (0 if mine or not old else 1),
        }
