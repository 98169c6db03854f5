"""One drill at a time: a Lease on the first region's API, renewed while the run lives.

A lock left by a killed harness is taken over at once when its process can be proven dead (same machine),
otherwise when it has not been renewed for its whole duration.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from stormdrill.drill.identity import Holder
from stormdrill.drill.stop import Stop
from stormdrill.errors import InputError, TargetError
from stormdrill.estate import DrillLock
from stormdrill.kube import Cluster, Lease, LeaseHeldError

LEASE_S = 15
RENEW_S = 5.0


class Lock:
    """Take with `take`, keep with `keep`, give back with `release`."""

    def __init__(self, cluster: Cluster, where: DrillLock) -> None:
        self._lease = Lease(cluster, where.namespace, where.name, str(Holder.me()), LEASE_S)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, stop: Stop) -> str:
        """Hold the lock when this returns; the earlier holder it was taken from, empty when there was none.

        InputError when a live drill holds it, TargetError when the API refuses, Aborted when stopped. Waits
        for an expiry of at most the lease's duration, unless this machine can see that the holder lives.
        """
        before = self._lease.holder_now() or ""
        holder = Holder.parse(before)
        if holder and holder.known_alive():
            raise InputError(f"another drill is running on this estate: {holder} holds {self._lease.path}")
        try:
            self._lease.acquire(LEASE_S + 1.0, is_dead=_is_dead, check=stop.check)
        except LeaseHeldError as error:
            raise InputError(f"another drill is running on this estate: {error}") from None
        return before

    def keep(self, lost: Callable[[str], None]) -> None:
        """Renew in the background until `release`; `lost` is called once, with the reason."""
        self._thread = threading.Thread(target=self._renew, args=(lost,), name="lock", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give the lock back if it is ours. Never raises: it expires by itself."""
        self._ended.set()
        if self._thread:
            self._thread.join(timeout=10)
        try:
            self._lease.release()
        except TargetError:
            return

    def _renew(self, lost: Callable[[str], None]) -> None:
        renewed = time.monotonic()
        while not self._ended.wait(RENEW_S):
            try:
                self._lease.renew()
                renewed = time.monotonic()
            except LeaseHeldError as error:
                lost(str(error))
                return
            except TargetError as error:
                if time.monotonic() - renewed > LEASE_S:
                    lost(f"the drill lock could not be renewed for {LEASE_S} s: {error}")
                    return


def _is_dead(holder: str) -> bool:
    known = Holder.parse(holder)
    return bool(known and known.known_dead())
