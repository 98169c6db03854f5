"""The sign of life of a leased fault: a thread that renews it until the fault is let go.

When the thread or its process dies nobody renews, and the agents end the fault by themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from stormdrill.errors import StormdrillError
from stormdrill.kube import ApiError, FaultObjects

_OFTEN = 4  # renewals within one lease


class Keeper:
    """Renews `name` every quarter of `lease_s` from `start` until `stop`.

    `lost` is called once, with the reason, when the object is gone or could not be renewed for a whole lease:
    the agents have ended the fault by then.
    """

    def __init__(self, objects: FaultObjects, name: str, lease_s: float, lost: Callable[[str], None]) -> None:
        self._objects = objects
        self._name = name
        self._lease_s = lease_s
        self._lost = lost
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"keep {name}", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def stop(self) -> None:
        """Renew no more. A renewal under way may still arrive; it changes nothing of what is wanted."""
        self._ended.set()

    def _renew(self) -> None:
        renewal, renewed = 0, time.monotonic()
        while not self._ended.wait(self._lease_s / _OFTEN):
            renewal += 1
            try:
                self._objects.renew(self._name, renewal)
                renewed = time.monotonic()
            except StormdrillError as error:
                gone = isinstance(error, ApiError) and error.missing
                silent_s = time.monotonic() - renewed
                if (gone or silent_s > self._lease_s) and not self._ended.is_set():
                    self._lost("the object is gone" if gone else f"not renewed for {silent_s:.0f} s: {error}")
                    return
